//! Ports in an order, each once.

/// Ports in the order in which they are asked, each once. Whether one is among them takes one step, however many they are:
/// a plan may hold every port there is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PortList {
    in_order: Vec<u16>,
    /// A bit for each port up to the highest of them.
    among: Vec<u64>,
}

impl PortList {
    /// Adds a port at the end, unless it is among them.
    pub fn push(&mut self, port: u16) {
        let (word, bit) = place(port);
        if self.among.len() <= word {
            self.among.resize(word + 1, 0);
        }
        if let Some(word) = self.among.get_mut(word).filter(|word| **word & bit == 0) {
            *word |= bit;
            self.in_order.push(port);
        }
    }

    /// Whether a port is among them.
    pub fn contains(&self, port: u16) -> bool {
        let (word, bit) = place(port);
        self.among.get(word).is_some_and(|word| word & bit != 0)
    }

    /// The ports in their order.
    pub fn as_slice(&self) -> &[u16] {
        &self.in_order
    }

    /// The ports in their order.
    pub fn iter(&self) -> impl Iterator<Item = u16> {
        self.in_order.iter().copied()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.in_order.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.in_order.is_empty()
    }
}

/// The word and the bit of a port.
fn place(port: u16) -> (usize, u64) {
    (usize::from(port / 64), 1 << (port % 64))
}

impl Extend<u16> for PortList {
    fn extend<I: IntoIterator<Item = u16>>(&mut self, ports: I) {
        ports.into_iter().for_each(|port| self.push(port));
    }
}

impl FromIterator<u16> for PortList {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> PortList {
        let mut list = PortList::default();
        list.extend(ports);
        list
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_port_there_is_finds_room() {
        let all: PortList = (0..=u16::MAX).chain(0..=u16::MAX).collect();
        assert_eq!((all.len(), all.among.len()), (65_536, 1024));
        assert!(all.iter().eq(0..=u16::MAX) && all.contains(0) && all.contains(u16::MAX));
    }

    proptest! {
        #[test]
        fn each_port_stands_once_where_it_came_first(ports in prop::collection::vec(prop_oneof![0..200u16, any::<u16>()], 0..200)) {
            let list: PortList = ports.iter().copied().collect();
            let mut wanted: Vec<u16> = Vec::new();
            for port in &ports {
                if !wanted.contains(port) {
                    wanted.push(*port);
                }
            }
            prop_assert_eq!(list.as_slice(), &wanted);
            prop_assert!((0..=u16::MAX).all(|port| list.contains(port) == wanted.contains(&port)));
        }
    }
}
