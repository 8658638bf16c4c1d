//! The memory that the hosts of a scan together may fill with what they send: pictures, bodies, segments, key frames.
//!
//! A buffer of up to [`FREE`](crate::wire::buffer::FREE) bytes needs no permit. A larger one needs a room, and rooms are few:
//! a buffer that finds none free waits its turn, while the sender is held up by its own full connection. There are two
//! sizes. What outgrows a medium room waits for a large one and keeps its own meanwhile; what has a large one waits for
//! nothing. So no two wait for each other, and a host that sends without end has its room until its picture is given up.

use std::ops::Deref;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use crate::wire::buffer::{LARGE, Size};

/// Medium rooms of a scan.
pub const MEDIUM_ROOMS: usize = 32;

/// Large rooms of a scan.
pub const LARGE_ROOMS: usize = 5;

/// The rooms of a scan.
#[derive(Debug)]
pub struct Memory {
    medium: Arc<Semaphore>,
    large: Arc<Semaphore>,
}

/// Why there is no room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoRoom {
    /// More than a large room holds.
    #[error("larger than the limit of {} MiB", LARGE / 1024 / 1024)]
    TooLarge,
    /// Others needed theirs for too long.
    #[error("the memory for what devices send was in use for too long")]
    InUse,
}

impl Default for Memory {
    /// Some 104 MiB at most: [`MEDIUM_ROOMS`] and [`LARGE_ROOMS`].
    fn default() -> Self {
        Memory::new(MEDIUM_ROOMS, LARGE_ROOMS)
    }
}

impl Memory {
    /// So many rooms of each size.
    pub fn new(medium: usize, large: usize) -> Self {
        Memory { medium: Arc::new(Semaphore::new(medium)), large: Arc::new(Semaphore::new(large)) }
    }

    /// A place for one buffer, of [`FREE`](crate::wire::buffer::FREE) bytes until it needs more.
    pub fn room(self: &Arc<Self>) -> Room {
        Room { memory: self.clone(), size: Size::Free, permit: None }
    }
}

/// The room of one buffer; free for others when it is dropped.
#[derive(Debug)]
pub struct Room {
    memory: Arc<Memory>,
    size: Size,
    permit: Option<OwnedSemaphorePermit>,
}

impl Room {
    /// A place for another buffer, under the same terms.
    pub fn another(&self) -> Room {
        self.memory.room()
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> usize {
        self.size.bytes()
    }

    /// Makes sure that so many bytes fit, waiting until `deadline` for a larger room. To be called before the buffer grows.
    ///
    /// # Errors
    /// [`NoRoom`]; the room is what it was.
    pub async fn fit(&mut self, bytes: usize, deadline: Instant) -> Result<(), NoRoom> {
        let size = Size::of(bytes).ok_or(NoRoom::TooLarge)?;
        if size <= self.size {
            return Ok(());
        }
        let rooms = if size == Size::Large { &self.memory.large } else { &self.memory.medium };
        // The semaphore is never closed.
        let permit = timeout_at(deadline, rooms.clone().acquire_owned()).await;
        self.permit = Some(permit.map_err(|_| NoRoom::InUse)?.map_err(|_| NoRoom::InUse)?);
        self.size = size;
        Ok(())
    }

    /// Gives up what so many bytes do not need.
    pub fn shrink(&mut self, bytes: usize) {
        match Size::of(bytes) {
            Some(Size::Free) => (self.size, self.permit) = (Size::Free, None),
            // Not waited for: nobody with a large room waits.
            Some(Size::Medium) if self.size == Size::Large => {
                if let Ok(permit) = self.memory.medium.clone().try_acquire_owned() {
                    (self.size, self.permit) = (Size::Medium, Some(permit));
                }
            }
            _ => {}
        }
    }
}

/// What says the same whatever room it is in.
impl PartialEq for Room {
    fn eq(&self, _: &Room) -> bool {
        true
    }
}

impl Eq for Room {}

/// Something a device sent, and the room it takes.
#[derive(Debug)]
pub struct Kept<T> {
    value: T,
    room: Option<Arc<Room>>,
}

impl<T> Kept<T> {
    /// `value`, which takes `room`; none where it is small.
    pub fn new(value: T, room: Option<Arc<Room>>) -> Self {
        Kept { value, room }
    }

    /// The same room for something made of it.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Kept<U> {
        Kept { value: make(self.value), room: self.room }
    }
}

impl<T> Deref for Kept<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::wire::buffer::{FREE, MEDIUM};
    use proptest::prelude::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    /// Bytes that the rooms in use hold.
    fn in_use(memory: &Memory, rooms: (usize, usize)) -> usize {
        (rooms.0 - memory.medium.available_permits()) * MEDIUM + (rooms.1 - memory.large.available_permits()) * LARGE
    }

    #[tokio::test(start_paused = true)]
    async fn who_finds_no_room_waits_its_turn() {
        let memory = Arc::new(Memory::new(1, 1));
        let (mut first, mut second) = (memory.room(), memory.room());
        first.fit(FREE + 1, soon()).await.unwrap();
        assert_eq!(second.fit(FREE + 1, soon()).await, Err(NoRoom::InUse));
        assert_eq!(second.bytes(), FREE);
        let waiting = tokio::spawn(async move { second.fit(MEDIUM, soon()).await.map(|()| second) });
        tokio::task::yield_now().await;
        drop(first);
        assert_eq!(waiting.await.unwrap().unwrap().bytes(), MEDIUM);
    }

    #[tokio::test(start_paused = true)]
    async fn a_room_is_given_up_as_far_as_it_is_not_needed() {
        let memory = Arc::new(Memory::new(1, 1));
        let mut room = memory.room();
        room.fit(LARGE, soon()).await.unwrap();
        assert_eq!(room.fit(LARGE + 1, soon()).await, Err(NoRoom::TooLarge));
        room.shrink(FREE + 1);
        assert_eq!((room.bytes(), in_use(&memory, (1, 1))), (MEDIUM, MEDIUM));
        room.shrink(1);
        assert_eq!((room.bytes(), in_use(&memory, (1, 1))), (FREE, 0));
        // A medium one is not taken from others for it.
        let mut other = memory.room();
        other.fit(MEDIUM, soon()).await.unwrap();
        room.fit(LARGE, soon()).await.unwrap();
        room.shrink(FREE + 1);
        assert_eq!(room.bytes(), LARGE);
    }

    proptest! {
        /// However many hosts let their buffers grow how far: never is more in use than there is, none of those that can
        /// fit at all is left waiting for ever, and in the end all is free again.
        #[test]
        fn nobody_waits_in_a_circle(
            rooms in (1usize..4, 1usize..4),
            hosts in prop::collection::vec(prop::collection::vec(0usize..LARGE + MEDIUM, 1..5), 1..40),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
            runtime.block_on(async {
                let memory = Arc::new(Memory::new(rooms.0, rooms.1));
                let hosts: Vec<_> = hosts.into_iter().map(|sizes| {
                    let memory = memory.clone();
                    tokio::spawn(async move {
                        let mut room = memory.room();
                        for bytes in sizes {
                            let far = Instant::now() + Duration::from_secs(3600);
                            match room.fit(bytes, far).await {
                                Ok(()) => assert!(room.bytes() >= bytes),
                                Err(why) => assert_eq!((why, bytes > LARGE), (NoRoom::TooLarge, true)),
                            }
                            assert!(in_use(&memory, rooms) <= rooms.0 * MEDIUM + rooms.1 * LARGE);
                            tokio::time::sleep(Duration::from_millis(10)).await;
                            room.shrink(bytes / 2);
                        }
                    })
                }).collect();
                for host in hosts {
                    host.await.unwrap();
                }
                assert_eq!(in_use(&memory, rooms), 0);
            });
        }
    }
}
