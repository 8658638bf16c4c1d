//! A connection that does not wait for ever: not for the head of a request, not for the next request, and not for an answer
//! to be taken. While a request is being answered, it waits for the answer.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use crate::serve::limits::Limits;

/// The slowest that an answer may be taken, in bytes per second: an old mobile line takes twice as much. A reader that is
/// slower for as long as one may take nothing at all would hold an answer, and its place, for hours.
const SLOWEST: u64 = 8 << 10;

/// Whether a connection's request is being answered.
#[derive(Debug, Default)]
pub(super) struct Activity {
    answering: AtomicUsize,
    is_upgraded: AtomicBool,
}

impl Activity {
    /// A request is being answered until what this returns is dropped.
    pub(super) fn begin(self: &Arc<Self>) -> Busy {
        self.answering.fetch_add(1, Ordering::Relaxed);
        Busy(self.clone())
    }

    /// It is no longer HTTP; whoever has it now watches over it.
    pub(super) fn upgrade(&self) {
        self.is_upgraded.store(true, Ordering::Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.answering.load(Ordering::Relaxed) > 0 || self.is_upgraded.load(Ordering::Relaxed)
    }
}

/// A request that is being answered.
pub(super) struct Busy(Arc<Activity>);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.answering.fetch_sub(1, Ordering::Relaxed);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// A request is being answered.
    Answering,
    /// Nothing is asked.
    Idle,
    /// A head has begun and is not complete.
    Head,
}

/// A connection with deadlines.
pub(super) struct Timed<S> {
    stream: S,
    activity: Arc<Activity>,
    head: Duration,
    idle: Duration,
    write: Duration,
    phase: Phase,
    read_until: Pin<Box<Sleep>>,
    write_until: Pin<Box<Sleep>>,
    /// Whether the reader is waited for, …
    is_writing: bool,
    /// … since when, or since when it is not, …
    since: Instant,
    /// … and for how much longer it was waited for than all that it took may take.
    late: Duration,
}

impl<S> Timed<S> {
    /// The first head is awaited from now on.
    pub(super) fn new(stream: S, activity: Arc<Activity>, limits: &Limits) -> Timed<S> {
        let now = Instant::now();
        Timed {
            stream,
            activity,
            head: limits.head_time,
            idle: limits.idle_time,
            write: limits.write_time,
            phase: Phase::Head,
            read_until: Box::pin(tokio::time::sleep_until(now + limits.head_time)),
            write_until: Box::pin(tokio::time::sleep_until(now + limits.write_time)),
            is_writing: false,
            since: now,
            late: Duration::ZERO,
        }
    }

    fn enter(&mut self, phase: Phase) {
        if self.phase == phase {
            return;
        }
        self.phase = phase;
        let until = match phase {
            Phase::Answering => return,
            Phase::Idle => self.idle,
            Phase::Head => self.head,
        };
        self.read_until.as_mut().reset(Instant::now() + until);
    }

    /// What a write came to, or that it takes too long: it is given so many bytes.
    fn written<T>(
        &mut self,
        context: &mut Context<'_>,
        done: Poll<io::Result<T>>,
        bytes: impl FnOnce(&T) -> usize,
    ) -> Poll<io::Result<T>> {
        let now = Instant::now();
        let passed = now.saturating_duration_since(self.since);
        let Poll::Ready(result) = done else {
            if !self.is_writing {
                (self.is_writing, self.since) = (true, now);
                self.late = self.late.saturating_sub(passed);
                self.write_until.as_mut().reset(now + self.write.saturating_sub(self.late));
            }
            ready!(self.write_until.as_mut().poll(context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        };
        if self.is_writing {
            (self.is_writing, self.since) = (false, now);
            self.late = self.late.saturating_add(passed);
        }
        let taken = result.as_ref().map_or(0, bytes) as u64;
        self.late = self.late.saturating_sub(Duration::from_millis(taken.saturating_mul(1000) / SLOWEST));
        Poll::Ready(result)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Timed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match (this.activity.is_busy(), this.phase) {
            (true, _) => this.enter(Phase::Answering),
            (false, Phase::Answering) => this.enter(Phase::Idle),
            (false, _) => {}
        }
        let before = buffer.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(context, buffer);
        match (&read, this.phase) {
            (Poll::Ready(_), Phase::Idle) if buffer.filled().len() > before => this.enter(Phase::Head),
            (Poll::Ready(_), _) | (Poll::Pending, Phase::Answering) => {}
            (Poll::Pending, _) => {
                ready!(this.read_until.as_mut().poll(context));
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
        }
        // A head that comes byte by byte is late all the same.
        if this.phase == Phase::Head && this.read_until.deadline() <= Instant::now() {
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Timed<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(context, done, |taken| *taken)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(context, done, |taken| *taken)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(context);
        self.written(context, done, |()| 0)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(context, done, |()| 0)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    fn limits() -> Limits {
        Limits::default()
    }

    async fn read(timed: &mut Timed<tokio::io::DuplexStream>) -> io::Result<usize> {
        timed.read(&mut [0; 16]).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_has_its_time_however_slowly_it_comes() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut timed = Timed::new(server, Arc::default(), &limits());
        let began = Instant::now();
        let slow = async {
            loop {
                client.write_all(b"x").await.unwrap();
                tokio::time::sleep(Duration::from_millis(900)).await;
            }
        };
        let reading = async {
            loop {
                if let Err(error) = read(&mut timed).await {
                    return error;
                }
            }
        };
        tokio::select! {
            () = slow => {}
            error = reading => assert_eq!(error.kind(), io::ErrorKind::TimedOut),
        }
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_it_waits_longer_and_while_one_is_answered_for_ever() {
        let (mut client, server) = tokio::io::duplex(64);
        let activity = Arc::<Activity>::default();
        let mut timed = Timed::new(server, activity.clone(), &limits());
        client.write_all(b"GET").await.unwrap();
        assert_eq!(read(&mut timed).await.unwrap(), 3);
        let busy = activity.begin();
        let hour = tokio::time::timeout(Duration::from_secs(3600), read(&mut timed)).await;
        assert!(hour.is_err(), "nothing ends while an answer is under way");
        drop(busy);
        let began = Instant::now();
        assert_eq!(read(&mut timed).await.unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert_eq!(began.elapsed().as_secs(), 75);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_nobody_takes_ends_the_connection() {
        let (_client, server) = tokio::io::duplex(64);
        let mut timed = Timed::new(server, Arc::default(), &limits());
        let began = Instant::now();
        let error = timed.write_all(&[0; 1000]).await.unwrap_err();
        assert_eq!((error.kind(), began.elapsed().as_secs()), (io::ErrorKind::TimedOut, 60));
    }

    /// How long an answer of a megabyte is written to a reader that takes so many bytes, and then waits so long.
    async fn taken(bytes: usize, wait: Duration) -> (io::Result<()>, Duration) {
        let (mut client, server) = tokio::io::duplex(64 << 10);
        let mut timed = Timed::new(server, Arc::default(), &limits());
        let (began, answer) = (Instant::now(), vec![0; 1 << 20]);
        let taking = async {
            let mut buffer = vec![0; bytes];
            loop {
                client.read_exact(&mut buffer).await.unwrap();
                tokio::time::sleep(wait).await;
            }
        };
        tokio::select! {
            () = taking => unreachable!(),
            done = timed.write_all(&answer) => (done, began.elapsed()),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_taken_in_drops_ends_the_connection_and_a_slow_line_does_not() {
        for (bytes, wait) in [(1, 50), (1000, 1), (40_000, 30)] {
            let (done, took) = taken(bytes, Duration::from_secs(wait)).await;
            assert_eq!(done.unwrap_err().kind(), io::ErrorKind::TimedOut, "{bytes} bytes each {wait} s");
            assert!(took < Duration::from_mins(10), "{took:?}");
        }
        for (bytes, wait) in [(10_000, 1), (400_000, 40)] {
            let (done, took) = taken(bytes, Duration::from_secs(wait)).await;
            done.unwrap();
            assert!(took > Duration::from_secs(60), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_of_events_whose_reader_stands_still_now_and_then_goes_on() {
        let (mut client, server) = tokio::io::duplex(64);
        let mut timed = Timed::new(server, Arc::default(), &limits());
        let reading = async {
            let mut buffer = [0; 100];
            loop {
                tokio::time::sleep(Duration::from_secs(20)).await;
                client.read_exact(&mut buffer).await.unwrap();
            }
        };
        let writing = async {
            for _ in 0..100 {
                timed.write_all(&[0; 100]).await?;
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            io::Result::Ok(())
        };
        tokio::select! {
            () = reading => unreachable!(),
            done = writing => done.unwrap(),
        }
    }
}
