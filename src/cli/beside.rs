//! Output that is written by a thread of its own, so that nothing else waits for its reader: a pager that is not scrolled, a
//! terminal that stands still, a collector of logs that hangs.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often it is asked whether to wait on.
const TICK: Duration = Duration::from_millis(50);
/// How long the reader has for the last of it once the work has ended.
pub const LAST_WORDS: Duration = Duration::from_secs(2);

/// Output that is written beside what goes on.
pub struct Beside {
    queue: Sender<Vec<u8>>,
    shared: Arc<Shared>,
    /// The most bytes that wait.
    most: usize,
    /// What is written in place of this many lines that found no room.
    notice: fn(u64) -> String,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    is_written: Condvar,
}

#[derive(Default)]
struct State {
    /// Bytes that wait to be written.
    waiting: usize,
    /// Lines that found no room since one was written last.
    left_out: u64,
    /// The first that went wrong; nothing is written any more.
    failed: Option<io::Error>,
}

/// What sending a line shows of the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing.
    None,
    /// There is no room, and there was until now: lines are left out.
    Begins,
    /// There is room again, after so many lines.
    Ends(u64),
}

impl Beside {
    /// Starts the thread. At most `most` bytes wait, and one line more; a line that finds no room is left out, and `notice`
    /// says how many were.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn start(out: impl Write + Send + 'static, most: usize, notice: fn(u64) -> String) -> io::Result<Beside> {
        let (queue, lines) = channel();
        let shared = Arc::<Shared>::default();
        let seen = shared.clone();
        std::thread::Builder::new().name("output".to_owned()).spawn(move || write_each(out, &lines, &seen))?;
        Ok(Beside { queue, shared, most, notice })
    }

    /// Has a line written; never waits.
    pub fn send(&self, line: Vec<u8>) -> Gap {
        let mut state = self.shared.lock();
        if state.failed.is_some() {
            return Gap::None;
        }
        if state.waiting >= self.most {
            state.left_out = state.left_out.saturating_add(1);
            return if state.left_out == 1 { Gap::Begins } else { Gap::None };
        }
        let left_out = std::mem::take(&mut state.left_out);
        if left_out > 0 {
            self.queue(&mut state, (self.notice)(left_out).into_bytes());
        }
        self.queue(&mut state, line);
        if left_out > 0 { Gap::Ends(left_out) } else { Gap::None }
    }

    fn queue(&self, state: &mut State, bytes: Vec<u8>) {
        state.waiting = state.waiting.saturating_add(bytes.len());
        // The thread lives as long as this.
        let _ = self.queue.send(bytes);
    }

    /// Waits for what is still to be written, and not for long.
    ///
    /// # Errors
    /// As [`Beside::flush`].
    pub fn end(&self) -> io::Result<()> {
        let until = Instant::now() + LAST_WORDS;
        self.flush(|| Instant::now() >= until)
    }

    /// Waits until all that was sent is written, with what was left out at its end.
    ///
    /// # Errors
    /// The first that went wrong, once; [`io::ErrorKind::TimedOut`] as soon as `gives_up` says so.
    pub fn flush(&self, mut gives_up: impl FnMut() -> bool) -> io::Result<()> {
        let mut state = self.shared.lock();
        let left_out = std::mem::take(&mut state.left_out);
        if left_out > 0 {
            self.queue(&mut state, (self.notice)(left_out).into_bytes());
        }
        while state.waiting > 0 && state.failed.is_none() {
            if gives_up() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let waited = self.shared.is_written.wait_timeout(state, TICK);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        // It is returned once, and nothing is written after it.
        let kind = state.failed.as_ref().map(io::Error::kind);
        kind.map_or(Ok(()), |kind| Err(state.failed.replace(kind.into()).unwrap_or_else(|| kind.into())))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_each(mut out: impl Write, lines: &Receiver<Vec<u8>>, shared: &Shared) {
    for line in lines {
        let written = out.write_all(&line).and_then(|()| out.flush());
        let mut state = shared.lock();
        state.waiting = state.waiting.saturating_sub(line.len());
        if let Err(error) = written {
            state.failed = Some(error);
        }
        shared.is_written.notify_all();
        if state.failed.is_some() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn notice(count: u64) -> String {
        format!("({count} left out)\n")
    }

    /// A pipe that takes nothing until it is opened: how soon the thread comes to write decides nothing.
    struct Shut(Option<Receiver<()>>, io::PipeWriter);

    impl Write for Shut {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if let Some(gate) = self.0.take() {
                // Until the other end is dropped.
                let _ = gate.recv();
            }
            self.1.write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            self.1.flush()
        }
    }

    #[test]
    fn nothing_waits_for_a_reader_and_what_found_no_room_is_counted_in_its_place() {
        let (mut reader, writer) = io::pipe().unwrap();
        let (open, gate) = std::sync::mpsc::channel();
        let beside = Beside::start(Shut(Some(gate), writer), 1 << 20, notice).unwrap();
        // More than the queue holds.
        let line = || [&[b'x'; 9_999][..], b"\n"].concat();
        let gaps: Vec<Gap> = (0..400).map(|_| beside.send(line())).collect();
        let begun = gaps.iter().filter(|gap| **gap == Gap::Begins).count();
        assert_eq!(begun, 1, "{gaps:?}");
        assert_eq!(beside.flush(|| true).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(open);
        let mut read = String::new();
        let reading = std::thread::spawn(move || reader.read_to_string(&mut read).map(|_| read));
        beside.flush(|| false).unwrap();
        assert_eq!(beside.send(b"last\n".to_vec()), Gap::None, "it was said by the flush before");
        drop(beside);
        let read = reading.join().unwrap().unwrap();
        let whole = read.lines().filter(|read| read.len() == 9_999).count();
        assert!(whole >= 100, "{whole}");
        assert!(read.ends_with(&format!("({} left out)\nlast\n", 400 - whole)), "{}", &read[read.len() - 60..]);
    }

    #[test]
    fn a_reader_that_went_away_is_told_and_nothing_waits_for_it() {
        let (reader, writer) = io::pipe().unwrap();
        let beside = Beside::start(writer, 1 << 20, notice).unwrap();
        drop(reader);
        beside.send(b"line\n".to_vec());
        assert_eq!(beside.flush(|| false).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
        assert_eq!(beside.send(b"line\n".to_vec()), Gap::None);
        assert!(beside.flush(|| false).is_err());
    }
}
