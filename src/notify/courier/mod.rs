//! Brings stored messages to their channels: one at a time to each, all channels side by side, again until they are taken.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::channel::{Deliver, Outcome};
use super::compose::{Message, Style, compose};
use super::retry::{LONGEST, next_try_asked, pause};
use super::rules::MOST_WAITING;
use crate::model::memory::{Delivery, DeliveryState, Event, EventKind, Outbox, OutboxError};

/// How often the outbox is looked at without being asked to: another process may have written into it.
const LOOK: Duration = Duration::from_secs(60);
/// The pause after the outbox could not be read or written.
const STORE_PAUSE: Duration = Duration::from_secs(10);
/// The longest pause of a whole channel: one message is tried so often, whatever the times of the others.
const LONGEST_REST: SignedDuration = SignedDuration::from_mins(30);
/// So many tries in a row have to fail before a channel counts as failing: about a minute.
const FAILING_AFTER: u32 = 3;
/// What becomes of a channel that answers 410.
const SWITCHED_OFF: &str = "nothing is sent to it until a test message reaches it, or the configuration is read again";
/// How long a try that is under way when all is to stop may go on.
const GRACE: Duration = Duration::from_secs(5);

/// What tells the time.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Told of channels that fail ([`EventKind::ChannelFailing`]) and work again ([`EventKind::ChannelRecovered`]).
pub type Reporter = Arc<dyn Fn(Event) + Send + Sync>;

/// Delivers what waits in an outbox.
pub struct Courier {
    outbox: Arc<dyn Outbox>,
    deliver: Arc<dyn Deliver>,
    channels: Vec<String>,
    style: Style,
    clock: Clock,
    report: Reporter,
    failing: Vec<String>,
    news: watch::Sender<u64>,
}

/// Makes a [`Courier`] look at its outbox at once.
#[derive(Clone)]
pub struct Bell(watch::Sender<u64>);

impl Bell {
    /// There is something new in the outbox.
    pub fn ring(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Courier {
    /// One that delivers to the channels of these names. `report` is called from the tasks of channels and must not wait.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        deliver: Arc<dyn Deliver>,
        channels: Vec<String>,
        style: Style,
        report: Reporter,
    ) -> Courier {
        let clock: Clock = Arc::new(Timestamp::now);
        let news = watch::channel(0).0;
        Courier { outbox, deliver, channels, style, clock, report, failing: Vec::new(), news }
    }

    /// The same with another clock. It has to go as fast as the runtime's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Courier {
        self.clock = clock;
        self
    }

    /// The same, knowing which channels were reported to fail before this process began.
    #[must_use]
    pub fn with_failing(mut self, channels: Vec<String>) -> Courier {
        self.failing = channels;
        self
    }

    /// To be rung whenever messages have been stored.
    pub fn bell(&self) -> Bell {
        Bell(self.news.clone())
    }

    /// Delivers until it is cancelled. A try that is under way then may end within 5 s; else it is made again by the next
    /// courier.
    pub async fn run(self, stop: CancellationToken) {
        let workers = self.channels.iter().map(|channel| {
            let worker = Worker {
                courier: &self,
                channel,
                news: self.news.subscribe(),
                stop: &stop,
                failures: 0,
                is_failing: self.failing.contains(channel),
                is_off: false,
                rest_until: Instant::now(),
                failed: BTreeMap::new(),
            };
            worker.run()
        });
        futures::future::join_all(workers).await;
    }
}

/// What brings messages to one channel.
struct Worker<'c> {
    courier: &'c Courier,
    channel: &'c str,
    news: watch::Receiver<u64>,
    stop: &'c CancellationToken,
    /// Tries that failed in a row.
    failures: u32,
    /// Whether it was reported.
    is_failing: bool,
    /// The receiver said that it takes no messages any more: only what somebody sends by hand is tried.
    is_off: bool,
    /// Nothing is tried before: by a clock that is not set.
    rest_until: Instant,
    /// The messages that wait for another try, by number.
    failed: BTreeMap<i64, Delivery>,
}

/// Whether a worker goes on.
enum Next {
    Look,
    Wait(Duration),
}

impl Worker<'_> {
    async fn run(mut self) {
        loop {
            if self.stop.is_cancelled() {
                return;
            }
            let next = match self.step().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!("messages to {}: {error}", self.channel);
                    Next::Wait(STORE_PAUSE)
                }
            };
            match next {
                Next::Look => {}
                Next::Wait(pause) => self.wait(pause).await,
            }
        }
    }

    /// Waits, unless there is something new and the channel does not rest.
    async fn wait(&mut self, pause: Duration) {
        let stop = self.stop;
        let rests = Instant::now() < self.rest_until;
        let timer = tokio::time::sleep(pause);
        tokio::select! {
            () = stop.cancelled() => {}
            () = timer => {}
            _ = self.news.changed(), if !rests => {}
        }
    }

    async fn step(&mut self) -> Result<Next, OutboxError> {
        let rest = self.rest_until.saturating_duration_since(Instant::now());
        if !rest.is_zero() {
            return Ok(Next::Wait(rest));
        }
        let now = (self.courier.clock)();
        let channel = self.channel.to_owned();
        if self.is_off {
            // More than wait of their own account: it may be the last of them.
            let due = self.outbox(move |outbox| outbox.due(&channel, now, 2 * MOST_WAITING)).await?;
            return match due.into_iter().find(is_by_hand) {
                Some(delivery) => self.attempt(delivery).await,
                None => Ok(Next::Wait(LOOK)),
            };
        }
        let found = self.outbox(move |outbox| {
            let due = outbox.due(&channel, now, 1)?;
            let next = if due.is_empty() { outbox.next_due(&channel)? } else { None };
            Ok((due, next))
        });
        match found.await? {
            (due, next) if due.is_empty() => {
                let pause = next.map_or(LOOK, |next| until(next, now).min(LOOK));
                Ok(Next::Wait(pause))
            }
            (due, _) => match due.into_iter().next() {
                Some(delivery) => self.attempt(delivery).await,
                None => Ok(Next::Wait(LOOK)),
            },
        }
    }

    /// One try of one message.
    async fn attempt(&mut self, mut delivery: Delivery) -> Result<Next, OutboxError> {
        let message = self.message(&mut delivery).await?;
        let Some(outcome) = self.bounded(&message).await else { return Ok(Next::Wait(Duration::ZERO)) };
        let now = (self.courier.clock)();
        delivery.tries = delivery.tries.saturating_add(1);
        let mut works = false;
        match outcome {
            Outcome::Done { .. } => {
                (delivery.state, delivery.error) = (DeliveryState::Done, None);
                works = true;
            }
            Outcome::Retry { after, why } => self.rest(&mut delivery, now, after, why),
            Outcome::Dead { why } => {
                self.fails(now, &why);
                (delivery.state, delivery.error) = (DeliveryState::Dead, Some(why));
            }
            Outcome::ChannelOff { why } => {
                self.fails(now, &format!("{why}: {SWITCHED_OFF}"));
                (delivery.state, delivery.error) = (DeliveryState::Dead, Some(why));
                self.is_off = true;
            }
        }
        match delivery.state {
            DeliveryState::Waiting => drop(self.failed.insert(delivery.number, delivery.clone())),
            _ => drop(self.failed.remove(&delivery.number)),
        }
        self.settle(delivery).await;
        if works {
            self.works(now).await?;
        }
        Ok(Next::Look)
    }

    /// The message of a delivery, the same at each try. What is sent is stored before it is sent.
    async fn message(&self, delivery: &mut Delivery) -> Result<Message, OutboxError> {
        let stored = delivery.body.as_deref().and_then(|body| serde_json::from_str(body).ok());
        if let Some(message) = stored {
            return Ok(message);
        }
        // From here on nothing is added to it, so what is read now is all there is.
        delivery.body = Some(String::new());
        let closed = delivery.clone();
        let events = self.outbox(move |outbox| {
            outbox.settle(&closed)?;
            outbox.events_of(&closed)
        });
        let message = compose(delivery, &events.await?, &self.courier.style);
        delivery.body = serde_json::to_string(&message).ok();
        let written = delivery.clone();
        self.outbox(move |outbox| outbox.settle(&written)).await?;
        Ok(message)
    }

    /// A try, or none where it was cut short because all is to stop.
    async fn bounded(&self, message: &Message) -> Option<Outcome> {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            biased;
            outcome = self.courier.deliver.deliver(self.channel, message) => Some(outcome),
            () = stopped => None,
        }
    }

    /// The channel did not take a message: both rest.
    fn rest(&mut self, delivery: &mut Delivery, now: Timestamp, asked: Option<SignedDuration>, why: String) {
        self.failures = self.failures.saturating_add(1);
        let jitter = fastrand::f64();
        let rest = pause(self.failures, jitter).min(LONGEST_REST);
        let rests = |rest: SignedDuration| Instant::now() + Duration::try_from(rest).unwrap_or_default();
        match next_try_asked(delivery, now, jitter, asked) {
            Some(next) => {
                delivery.due_at = next;
                // What it asks for holds for all that is sent to it.
                self.rest_until = rests(if asked.is_some() { next.duration_since(now) } else { rest });
                delivery.error = Some(why.clone());
            }
            None => {
                let days = LONGEST.as_hours() / 24;
                delivery.state = DeliveryState::Dead;
                delivery.error = Some(format!("given up after {days} days: {why}"));
                self.rest_until = rests(rest);
            }
        }
        if self.failures >= FAILING_AFTER {
            self.fails(now, &why);
        }
    }

    fn fails(&mut self, now: Timestamp, why: &str) {
        if !std::mem::replace(&mut self.is_failing, true) {
            self.report(EventKind::ChannelFailing, now, Some(why.to_owned()));
        }
    }

    /// The channel has taken a message: what waits for another try need not wait any longer.
    async fn works(&mut self, now: Timestamp) -> Result<(), OutboxError> {
        (self.failures, self.is_off) = (0, false);
        if std::mem::replace(&mut self.is_failing, false) {
            self.report(EventKind::ChannelRecovered, now, None);
        }
        for (_, mut delivery) in std::mem::take(&mut self.failed) {
            if delivery.due_at > now {
                delivery.due_at = now;
                self.outbox(move |outbox| outbox.settle(&delivery)).await?;
            }
        }
        Ok(())
    }

    fn report(&self, kind: EventKind, at: Timestamp, failure: Option<String>) {
        let mut event = Event::new(kind, at);
        event.data.channel = Some(self.channel.to_owned());
        event.data.failure = failure;
        (self.courier.report)(event);
    }

    /// Writes what became of a message, as often as it takes: were it forgotten, the message would be sent twice.
    async fn settle(&self, delivery: Delivery) {
        loop {
            let written = delivery.clone();
            let Err(error) = self.outbox(move |outbox| outbox.settle(&written)).await else { return };
            tracing::warn!("message {} to {}: {error}", delivery.id, self.channel);
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = tokio::time::sleep(STORE_PAUSE) => {}
            }
        }
    }

    /// Calls the outbox where it holds nobody up.
    async fn outbox<T: Send + 'static>(
        &self,
        call: impl FnOnce(&dyn Outbox) -> Result<T, OutboxError> + Send + 'static,
    ) -> Result<T, OutboxError> {
        let outbox = self.courier.outbox.clone();
        let called = tokio::task::spawn_blocking(move || call(outbox.as_ref())).await;
        called.unwrap_or_else(|_| Err(OutboxError("internal error".to_owned())))
    }
}

/// Whether somebody sends a message by hand: one that was given up, again, or one that tries the channel. Both have their text
/// before they are tried.
fn is_by_hand(delivery: &Delivery) -> bool {
    delivery.tries == 0 && delivery.body.as_ref().is_some_and(|body| !body.is_empty())
}

/// How long from now until then.
fn until(then: Timestamp, now: Timestamp) -> Duration {
    // A little later rather than a little too early: what is not quite due is not handed out.
    Duration::try_from(then.duration_since(now)).unwrap_or_default().saturating_add(Duration::from_millis(1))
}

#[cfg(test)]
mod tests;
