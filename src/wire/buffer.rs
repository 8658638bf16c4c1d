//! The sizes that buffers for what devices send may have. Who may have how many of them at a time is for the caller to say.

/// Bytes that every buffer may hold without a room of the scan's memory.
pub const FREE: usize = 256 * 1024;

/// Bytes of a medium buffer.
pub const MEDIUM: usize = 2 * 1024 * 1024;

/// Bytes of a large buffer: two pictures of 4 MiB, or one of 8 MiB, with what was read last.
pub const LARGE: usize = 8 * 1024 * 1024 + 64 * 1024;

/// Grows a buffer for so many bytes more, at once to the whole size it then takes: what is not filled costs nothing,
/// and a buffer that is doubled over and over leaves holes behind that nobody else can use.
pub fn grow(buffer: &mut Vec<u8>, more: usize) {
    let needed = buffer.len() + more;
    if needed > buffer.capacity() && needed > FREE / 2 {
        let size = Size::of(needed).map_or(needed, Size::bytes);
        buffer.reserve_exact(size - buffer.len());
    }
}

/// The size of a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// [`FREE`].
    Free,
    /// [`MEDIUM`].
    Medium,
    /// [`LARGE`].
    Large,
}

impl Size {
    /// The smallest that holds so many bytes; none where no buffer may.
    pub fn of(bytes: usize) -> Option<Size> {
        [Size::Free, Size::Medium, Size::Large].into_iter().find(|size| bytes <= size.bytes())
    }

    /// Bytes it holds.
    pub fn bytes(self) -> usize {
        match self {
            Size::Free => FREE,
            Size::Medium => MEDIUM,
            Size::Large => LARGE,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_grows_by_whole_sizes() {
        let mut buffer = Vec::new();
        let mut capacities = Vec::new();
        while buffer.len() <= LARGE {
            grow(&mut buffer, 16 * 1024);
            buffer.extend_from_slice(&[1; 16 * 1024]);
            if buffer.len() > FREE / 2 && capacities.last() != Some(&buffer.capacity()) {
                capacities.push(buffer.capacity());
            }
        }
        assert_eq!(capacities[..3], [FREE, MEDIUM, LARGE]);
    }
}
