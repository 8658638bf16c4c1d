//! Whether the process works, and what is counted of it.

mod live;
pub mod routes;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::Method;
use serde::Serialize;

use crate::metrics::{Figures, Histogram, Http};

/// Upper bounds of how long answers took, seconds.
const BOUNDS: [f64; 9] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];
/// Combinations of route, method and status that are counted.
const MOST_SERIES: usize = 2000;

/// How the process is, and what is counted.
#[derive(Default)]
pub struct Health {
    requests: Mutex<Requests>,
    clients: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    /// When the loop last went round.
    alive_at: Mutex<Option<Instant>>,
    /// What the loop counts.
    figures: Mutex<Figures>,
    ready: Mutex<Option<(Instant, Ready)>>,
    /// Whoever asks the store whether it can be written: one at a time, since another program may hold it.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Requests {
    counts: BTreeMap<(String, String, u16), u64>,
    times: [u64; BOUNDS.len() + 1],
    seconds: f64,
}

/// Somebody who follows events or a picture, while it lasts.
pub struct Following {
    clients: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    kind: &'static str,
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(count) = lock(&self.clients).get_mut(self.kind) {
            *count = count.saturating_sub(1);
        }
    }
}

impl Health {
    /// A request was answered.
    pub(super) fn answered(&self, route: &str, method: &Method, code: u16, took: Duration) {
        let method = match method.as_str() {
            known @ ("GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS") => known,
            _ => "other",
        };
        let mut requests = lock(&self.requests);
        let series = (route.to_owned(), method.to_owned(), code);
        if requests.counts.len() < MOST_SERIES || requests.counts.contains_key(&series) {
            let count = requests.counts.entry(series).or_default();
            *count = count.saturating_add(1);
        }
        let seconds = took.as_secs_f64();
        let place = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        if let Some(count) = requests.times.get_mut(place) {
            *count = count.saturating_add(1);
        }
        requests.seconds += seconds;
    }

    /// Counts somebody who follows (`sse`, `websocket`) until what this returns is dropped.
    pub fn follow(&self, kind: &'static str) -> Following {
        let mut clients = lock(&self.clients);
        let count = clients.entry(kind).or_default();
        *count = count.saturating_add(1);
        Following { clients: self.clients.clone(), kind }
    }

    /// The loop that watches has gone round.
    pub fn alive(&self) {
        *lock(&self.alive_at) = Some(Instant::now());
    }

    /// What the loop has counted.
    pub fn counted(&self, figures: &Figures) {
        figures.clone_into(&mut lock(&self.figures));
    }

    fn http(&self, login_failures: u64) -> Http {
        let requests = lock(&self.requests);
        let times = Histogram { bounds: BOUNDS.to_vec(), counts: requests.times.to_vec(), sum: requests.seconds };
        let clients = lock(&self.clients).iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect();
        Http { requests: requests.counts.clone(), times, event_clients: clients, login_failures }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the process can do its work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Ready {
    /// Whether all of it is well.
    pub ready: bool,
    /// Each part, and whether it is well; for those who are logged in.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, bool>,
}
