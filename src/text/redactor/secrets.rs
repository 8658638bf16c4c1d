//! Secrets by their characters: those that begin alike are followed together, so that a long list of logins takes a text no
//! longer than a short one.

use std::collections::HashMap;

use super::forms::Telling;
use super::view::is_blank;

/// What some secrets begin with.
#[derive(Debug, Default)]
struct Node {
    /// How many characters that is.
    long: usize,
    /// The last of them.
    last: char,
    /// How telling it is where it is a whole secret.
    whole: Option<Telling>,
    /// How telling the most telling secret is that begins so.
    most: Option<Telling>,
    /// Whether it is the name of a user.
    is_user: bool,
}

/// A beginning of secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Beginning(u32);

/// The secrets, and the names of their users.
pub(super) struct Secrets {
    /// The first is the beginning of all.
    nodes: Vec<Node>,
    next: HashMap<(u32, char), u32>,
    /// Whether one begins with a character of ASCII, by its number.
    firsts: [bool; 128],
}

impl Default for Secrets {
    fn default() -> Self {
        Secrets { nodes: vec![Node::default()], next: HashMap::new(), firsts: [false; 128] }
    }
}

impl Secrets {
    /// Adds one.
    pub fn add(&mut self, chars: &[char], telling: Telling) {
        let path = self.path(chars);
        let whole = path.last().copied();
        for number in path {
            let Some(node) = self.nodes.get_mut(number as usize) else { continue };
            node.most = node.most.max(Some(telling));
            if Some(number) == whole {
                node.whole = node.whole.max(Some(telling));
            }
        }
    }

    /// Adds the name of a user: it is looked for beside a password, and is no password itself.
    pub fn add_user(&mut self, chars: &[char]) {
        let path = self.path(chars);
        let whole = path.last().and_then(|number| self.nodes.get_mut(*number as usize));
        whole.into_iter().for_each(|node| node.is_user = true);
    }

    /// Whether no password was added.
    pub fn is_empty(&self) -> bool {
        self.nodes.iter().all(|node| node.whole.is_none())
    }

    /// The beginnings of a text, from its first character to all of it.
    fn path(&mut self, chars: &[char]) -> Vec<u32> {
        let mut path = Vec::with_capacity(chars.len());
        let mut from = 0;
        for (&c, long) in chars.iter().zip(1..) {
            let last = plain(c);
            let fresh = u32::try_from(self.nodes.len()).unwrap_or(u32::MAX);
            from = *self.next.entry((from, last)).or_insert(fresh);
            if from == fresh {
                self.nodes.push(Node { long, last, ..Node::default() });
            }
            path.push(from);
        }
        let first = chars.first().and_then(|c| self.firsts.get_mut(plain(*c) as usize));
        first.into_iter().for_each(|is_first| *is_first = true);
        path
    }

    /// The beginning that is this character alone.
    pub fn begin(&self, c: char) -> Option<Beginning> {
        let is_none = self.firsts.get(plain(c) as usize).is_some_and(|is_first| !is_first);
        if is_none { None } else { self.follow(0, c) }
    }

    /// A beginning and one character more. A blank may be several.
    pub fn go_on(&self, from: Beginning, c: char) -> Option<Beginning> {
        let is_same_blank = is_blank(c) && self.node(from).is_some_and(|node| node.last == ' ');
        if is_same_blank { Some(from) } else { self.follow(from.0, c) }
    }

    fn follow(&self, from: u32, c: char) -> Option<Beginning> {
        self.next.get(&(from, plain(c))).map(|number| Beginning(*number))
    }

    fn node(&self, at: Beginning) -> Option<&Node> {
        self.nodes.get(at.0 as usize)
    }

    /// How many characters it is, and the last of them.
    pub fn length(&self, at: Beginning) -> (usize, char) {
        self.node(at).map_or((0, ' '), |node| (node.long, node.last))
    }

    /// How telling it is, where it is a whole secret.
    pub fn whole(&self, at: Beginning) -> Option<Telling> {
        self.node(at)?.whole
    }

    /// How telling the most telling secret is that begins so.
    pub fn most(&self, at: Beginning) -> Option<Telling> {
        self.node(at)?.most
    }

    /// Whether it is the name of a user.
    pub fn is_user(&self, at: Beginning) -> bool {
        self.node(at).is_some_and(|node| node.is_user)
    }
}

/// A blank for the end of a line.
fn plain(c: char) -> char {
    if is_blank(c) { ' ' } else { c }
}
