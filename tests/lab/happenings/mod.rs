//! `camscan watch` at a site where much happens: what the script of the trial says must be sent arrives once within its time by
//! every channel, and nothing else does, whichever camera it happens to and however many packets are lost. A second watching
//! with a store of its own, and scans of the same cameras, go on beside it.

mod script;
mod site;
mod truth;

use std::time::{Duration, Instant};

use crate::PYTHON;
use crate::ns::need;
use crate::trial::Skip;
use script::{Happening, LATE, REFUSED, Script};
use site::Site;
use truth::{Expected, Verdict};

/// What comes twice, or by mistake, comes no later.
const AFTER: Duration = Duration::from_secs(45);

/// What a run came to.
struct Outcome {
    seed: u64,
    loss: u32,
    happenings: usize,
    /// By channel.
    verdicts: Vec<(&'static str, Verdict)>,
    repeated: usize,
    wrong: Vec<String>,
}

impl Outcome {
    fn is_well(&self) -> bool {
        self.wrong.is_empty() && self.verdicts.iter().all(|(_, verdict)| verdict.is_well())
    }

    fn print(&self) {
        let Outcome { seed, loss, happenings, repeated, .. } = self;
        println!("seed {seed}, {loss} % lost: {happenings} happenings, {repeated} messages came again");
        self.verdicts.iter().for_each(|(channel, verdict)| println!("  {channel}: {verdict}"));
        self.wrong.iter().for_each(|line| println!("  wrong: {line}"));
    }
}

/// A scan takes longer where much is lost, and no stream is checked meanwhile: by so many seconds for each of a hundred.
const LATER: f64 = 6.0;

/// What must be sent by a channel, where each happening begins at its time.
fn expected(script: &Script, begins: &[f64], channel: &str, loss: u32) -> Vec<Expected> {
    let is_its = |happening: &&(&Happening, f64)| channel != "second" || happening.0.is_for_both;
    let all: Vec<(&Happening, f64)> = script.happenings.iter().zip(begins.iter().copied()).collect();
    let mut expected: Vec<Expected> =
        all.iter().filter(is_its).flat_map(|(happening, begin)| happening.expected(*begin)).collect();
    expected.iter_mut().for_each(|event| event.until += LATER * f64::from(loss));
    if channel == "hook" {
        // The other channel says so, and this one gets late what came while it took nothing.
        expected.retain(|event| event.subject != "hook");
        let is_refused = script.happenings.iter().any(|happening| happening.name == "receiver");
        let (from, until) = (REFUSED.0 as f64, (REFUSED.1 + LATE) as f64);
        for event in expected.iter_mut().filter(|event| is_refused && event.from < until && event.until > from) {
            event.until = event.until.max(until);
        }
    }
    expected
}

fn run(seed: u64, loss: u32, script: &Script) -> Outcome {
    let mut site = Site::new(seed, loss);
    site.learn();
    let mut chance = fastrand::Rng::with_seed(seed);
    let begins: Vec<f64> = script
        .happenings
        .iter()
        .map(|happening| if happening.is_fixed { 0.0 } else { chance.u64(..=script.spread) as f64 })
        .collect();
    let mut steps: Vec<(f64, &script::Act)> = Vec::new();
    for (happening, begin) in script.happenings.iter().zip(&begins) {
        steps.extend(happening.steps.iter().map(|(at, act)| (begin + *at as f64, act)));
    }
    steps.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (at, act) in steps {
        site.wait(Duration::from_secs_f64((at - site.now()).max(0.0)));
        site.act(act);
    }
    let channels = ["hook", "spare", "second"];
    let all = channels.map(|channel| expected(script, &begins, channel, loss));
    let verdict = |site: &Site, (channel, expected): (&&'static str, &Vec<Expected>)| {
        (*channel, Verdict::of(expected, &site.arrived(channel)))
    };
    let are_there = |site: &Site| channels.iter().zip(&all).all(|each| verdict(site, each).1.missed.is_empty());
    let end = script.end as f64 + LATER * f64::from(loss);
    while site.now() < end && !are_there(&site) {
        site.wait(Duration::from_secs(1));
    }
    site.wait(AFTER);
    let verdicts = channels.iter().zip(&all).map(|each| verdict(&site, each)).collect();
    let repeated = site.repeated();
    Outcome { seed, loss, happenings: script.happenings.len(), verdicts, repeated, wrong: site.end() }
}

pub fn what_happens_at_a_site_is_sent_once_and_nothing_else() -> Result<(), Skip> {
    need(&[PYTHON, "nft", "openssl"])?;
    let outcome = run(number("CAMSCAN_SEED").unwrap_or(1), 5, &Script::short());
    outcome.print();
    assert!(outcome.is_well(), "see above");
    Ok(())
}

/// Side by side, each at a site of its own. `CAMSCAN_SEED` and `CAMSCAN_LOSS` leave one seed and one loss of them.
pub fn three_seeds_at_three_losses() -> Result<(), Skip> {
    need(&[PYTHON, "nft", "openssl"])?;
    let of = |name, all: [u64; 3]| number(name).map_or(all.to_vec(), |one| vec![one]);
    let (seeds, losses) = (of("CAMSCAN_SEED", [1, 2, 3]), of("CAMSCAN_LOSS", [0, 5, 15]));
    let runs = losses.iter().flat_map(|loss| seeds.iter().map(|seed| (*seed, u32::try_from(*loss).unwrap())));
    let (began, busy) = (Instant::now(), busy_seconds());
    let threads: Vec<_> =
        runs.map(|(seed, loss)| std::thread::spawn(move || run(seed, loss, &Script::whole()))).collect();
    let outcomes: Vec<_> = threads.into_iter().map(std::thread::JoinHandle::join).collect();
    let took = began.elapsed().as_secs_f64();
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as f64;
    let share = (busy_seconds() - busy) / took / processors * 100.0;
    println!("{took:.0} s; the processors were busy for {share:.0} % of it");
    let mut is_well = true;
    for outcome in outcomes {
        match outcome {
            Ok(outcome) => {
                outcome.print();
                is_well &= outcome.is_well();
            }
            Err(_) => is_well = false,
        }
    }
    assert!(is_well, "see above");
    Ok(())
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is `{text}`, and should be a number")))
}

/// How long the processors have been busy, added up, in seconds.
fn busy_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/stat").unwrap();
    let line = stat.lines().next().unwrap();
    let ticks: Vec<f64> = line.split_whitespace().skip(1).map(|word| word.parse().unwrap()).collect();
    // Idle, and idle while the disk was waited for.
    (ticks.iter().take(8).sum::<f64>() - ticks[3] - ticks[4]) / 100.0
}
