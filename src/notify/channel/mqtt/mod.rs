//! MQTT: the state of devices, retained, with discovery for Home Assistant, and messages beside it.
//!
//! The connection is kept. After each connection, and when Home Assistant has started, everything is sent again: what
//! announces devices, then that camscan is there, then their states.

pub mod topics;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rumqttc::{
    AsyncClient, ConnectionError, Event, EventLoop, LastWill, MqttOptions, NoticeFailureReason, Packet, PublishOptions,
    QoS, TlsConfiguration, Transport,
};
use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;

use super::{Message, Outcome, certificates, provide_cryptography, put, webhook};
use crate::model::notify::{DeviceView, Discovery, Mqtt};
use topics::Retained;

/// How long the broker may take to acknowledge a message.
const LIMIT: Duration = Duration::from_secs(15);
/// The pauses between attempts to connect: the first, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];
/// Seconds between signs of life.
const KEEP_ALIVE: u16 = 30;
/// The largest packet that is taken from a broker or sent to it, in bytes.
const LARGEST: usize = 256 << 10;
/// How long a message waits for a connection, and saying goodbye may take.
const SHORT: Duration = Duration::from_secs(5);

/// A connection to a broker.
pub struct Bridge {
    client: AsyncClient,
    prefix: String,
    wanted: watch::Sender<Shown>,
    link: watch::Receiver<Link>,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

/// What is to be seen at the broker.
#[derive(Debug, Clone, Default, PartialEq)]
struct Shown {
    devices: Arc<Vec<DeviceView>>,
    gone: Arc<Vec<DeviceView>>,
    /// Whether the caller has said what there is: before, nothing is announced.
    is_known: bool,
}

/// How it stands with the connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Link {
    is_up: bool,
    /// How often everything was to be sent again.
    rounds: u64,
    /// Why there is none.
    why: String,
}

impl Bridge {
    /// Begins to connect, and goes on until the bridge is dropped. `instance` tells this camscan from others at the broker,
    /// which ends one of two connections of the same name.
    pub fn start(mqtt: &Mqtt, instance: &str) -> Bridge {
        provide_cryptography();
        let (link, seen) = watch::channel(Link { why: "not connected yet".to_owned(), ..Link::default() });
        let (wanted, wanted_seen) = watch::channel(Shown::default());
        let (client, events) = AsyncClient::builder(options(mqtt, instance)).capacity(64).build();
        let status = mqtt.discovery.as_ref().map(|discovery| format!("{}/status", discovery.prefix));
        let polling = tokio::spawn(poll(events, client.clone(), status, tls(mqtt).err(), link));
        let publisher = Publisher {
            client: client.clone(),
            prefix: mqtt.topic.clone(),
            discovery: mqtt.discovery.clone(),
            held: BTreeMap::new(),
            again: true,
        };
        let publishing = tokio::spawn(publisher.run(wanted_seen, seen.clone()));
        let tasks = Mutex::new(vec![polling, publishing]);
        Bridge { client, prefix: mqtt.topic.clone(), wanted, link: seen, tasks }
    }

    /// Shows these devices, and takes back what was shown of `gone`, who are listed no longer. What has not changed is not
    /// sent again.
    pub fn show(&self, devices: Vec<DeviceView>, gone: Vec<DeviceView>) {
        let shown = Shown { devices: Arc::new(devices), gone: Arc::new(gone), is_known: true };
        self.wanted.send_if_modified(|current| {
            let differs = *current != shown;
            *current = shown;
            differs
        });
    }

    /// Whether the broker is connected.
    pub fn is_connected(&self) -> bool {
        self.link.borrow().is_up
    }

    /// Waits until the broker is connected.
    ///
    /// # Errors
    /// Why it is not, after `limit`.
    pub async fn connected(&self, limit: Duration) -> Result<(), String> {
        let mut link = self.link.clone();
        let waited = tokio::time::timeout(limit, link.wait_for(|link| link.is_up)).await;
        match waited {
            Ok(Ok(_)) => Ok(()),
            _ => Err(self.link.borrow().why.clone()),
        }
    }

    /// Sends a message; done when the broker has acknowledged it.
    pub(super) async fn send(&self, message: &Message) -> Outcome {
        // A message that is sent while nobody is there would wait in the client, out of our sight.
        if let Err(why) = self.connected(SHORT).await {
            return Outcome::retry(why);
        }
        let mut payload = webhook::body(message);
        put(&mut payload, "id", message.id.as_str());
        let topic = topics::event(&self.prefix, message.device.as_deref());
        let sent = tokio::time::timeout(LIMIT, publish(&self.client, &topic, payload.to_string(), false)).await;
        match sent {
            Ok(Ok(())) => Outcome::Done { answer: format!("acknowledged by the broker, topic {topic}") },
            Ok(Err(why)) => Outcome::retry(why),
            Err(_) => Outcome::retry(format!("the broker did not acknowledge it within {} s", LIMIT.as_secs())),
        }
    }

    /// Says that camscan goes, and leaves.
    pub async fn close(&self) {
        let goodbye = async {
            if self.is_connected() {
                let _ = publish(&self.client, &topics::status(&self.prefix), "offline".to_owned(), true).await;
                let _ = self.client.disconnect().await;
                let _ = self.link.clone().wait_for(|link| !link.is_up).await;
            }
        };
        let _ = tokio::time::timeout(SHORT, goodbye).await;
        self.tasks.lock().await.iter().for_each(JoinHandle::abort);
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        self.tasks.get_mut().iter().for_each(JoinHandle::abort);
    }
}

fn options(mqtt: &Mqtt, instance: &str) -> MqttOptions {
    let mut options = MqttOptions::new(format!("camscan-{instance}"), (mqtt.host.clone(), mqtt.port));
    options.set_keep_alive(KEEP_ALIVE);
    options.set_max_packet_size(LARGEST, LARGEST);
    options.set_last_will(LastWill::new(topics::status(&mqtt.topic), "offline", QoS::AtLeastOnce, true));
    match (&mqtt.user, &mqtt.password) {
        (Some(user), Some(password)) => {
            options.set_credentials(user.clone(), password.expose().to_owned());
        }
        (Some(user), None) => {
            options.set_username(user.clone());
        }
        _ => {}
    }
    if let Ok(Some(configuration)) = tls(mqtt) {
        options.set_transport(Transport::tls_with_config(configuration));
    }
    options
}

fn tls(mqtt: &Mqtt) -> Result<Option<TlsConfiguration>, String> {
    match (&mqtt.ca, mqtt.tls) {
        (_, false) => Ok(None),
        (None, true) => {
            let system = TlsConfiguration::try_default_rustls();
            system.map(Some).map_err(|error| format!("the system's certificates cannot be read: {error}"))
        }
        (Some(path), true) => {
            let ca = certificates(path)?;
            Ok(Some(TlsConfiguration::Simple { ca, alpn: None, client_auth: None }))
        }
    }
}

/// Drives the connection.
async fn poll(
    mut events: EventLoop,
    client: AsyncClient,
    status: Option<String>,
    broken: Option<String>,
    link: watch::Sender<Link>,
) {
    // Without its certificates the password would go to anybody, in clear.
    if let Some(why) = broken {
        link.send_modify(|link| link.why = why);
        return std::future::pending().await;
    }
    let mut pause = PAUSES[0];
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::ConnAck(_))) => {
                pause = PAUSES[0];
                if let Some(status) = &status {
                    // It cannot wait here: what takes it up is this loop.
                    let _ = client.try_subscribe(status.clone(), QoS::AtLeastOnce);
                }
                link.send_modify(|link| (link.is_up, link.rounds) = (true, link.rounds + 1));
            }
            Ok(Event::Incoming(Packet::Publish(publish))) => {
                let is_status = status.as_ref().is_some_and(|status| publish.topic == status.as_bytes());
                if is_status && publish.payload.as_ref() == b"online" {
                    link.send_modify(|link| link.rounds += 1);
                }
            }
            Ok(_) => {}
            Err(ConnectionError::RequestsDone) => return link.send_modify(|link| link.is_up = false),
            Err(error) => {
                link.send_modify(|link| {
                    (link.is_up, link.why) = (false, format!("the broker is not connected: {error}"))
                });
                // What was not acknowledged is sent again by whoever wanted it sent, or not at all.
                events.drain_pending_as_failed(NoticeFailureReason::SessionReset);
                events.reset_session_state();
                tokio::time::sleep(pause.mul_f64(0.8 + 0.4 * fastrand::f64())).await;
                pause = (pause * 2).min(PAUSES[1]);
            }
        }
    }
}

/// Keeps what the broker retains as it is wanted.
struct Publisher {
    client: AsyncClient,
    prefix: String,
    discovery: Option<Discovery>,
    /// What it retains, as far as it has acknowledged it.
    held: BTreeMap<String, String>,
    /// Whether everything is to be sent, and not only what has changed.
    again: bool,
}

impl Publisher {
    async fn run(mut self, mut wanted: watch::Receiver<Shown>, mut link: watch::Receiver<Link>) {
        let mut round = 0;
        loop {
            let now = link.borrow_and_update().clone();
            let shown = wanted.borrow_and_update().clone();
            self.again |= now.rounds != round;
            round = now.rounds;
            if now.is_up && self.publish_all(&shown).await.is_err() {
                // The connection is being made anew, or the broker is slow: in either case once more.
                tokio::time::sleep(PAUSES[0]).await;
                continue;
            }
            let is_over = tokio::select! {
                changed = wanted.changed() => changed.is_err(),
                changed = link.changed() => changed.is_err(),
            };
            if is_over {
                return;
            }
        }
    }

    async fn publish_all(&mut self, shown: &Shown) -> Result<(), String> {
        let wanted: Vec<Retained> = match shown.is_known {
            true => topics::retained(&self.prefix, self.discovery.as_ref(), &shown.devices, &shown.gone),
            false => vec![(topics::status(&self.prefix), "online".to_owned())],
        };
        for (topic, payload) in topics::changes(&self.held, &wanted, self.again) {
            let sent = tokio::time::timeout(LIMIT, publish(&self.client, &topic, payload, true)).await;
            sent.map_err(|_| "the broker did not acknowledge it".to_owned())??;
            match wanted.iter().find(|(of, _)| *of == topic) {
                Some((_, payload)) => drop(self.held.insert(topic, payload.clone())),
                None => drop(self.held.remove(&topic)),
            }
        }
        self.again = false;
        Ok(())
    }
}

/// Publishes and waits for the broker's acknowledgement.
async fn publish(client: &AsyncClient, topic: &str, payload: String, retain: bool) -> Result<(), String> {
    let options = PublishOptions::new(QoS::AtLeastOnce).retain(retain);
    let notice = client.publish_tracked(topic, payload, options).await.map_err(|error| error.to_string())?;
    notice.wait_completion_async().await.map_err(|error| format!("the broker did not acknowledge it: {error}"))
}
