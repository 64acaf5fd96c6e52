//! Midnight, with a model of the stream and the evaluator: simulated time, and nothing is slow.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Mutex;

use clock::spread::{Desk, Pace, Spread, spread};

const PARTS: u32 = 16;
const MINUTE_MS: i64 = 60_000;
/// What the clock is configured with by default.
const PACE: Pace = Pace { per_second: 1000, window_s: 4 };
/// Time passes in steps of this.
const STEP_MS: i64 = 100;

/// What waits on a shard of the stream.
enum Record {
    Tick(u32, String, i64),
    /// An event, and when it happened.
    Event(i64),
}

/// The table, its stream and the evaluator behind it.
struct Model {
    now_ms: i64,
    due: Vec<BTreeSet<(i64, String)>>,
    ticks: HashMap<String, i64>,
    /// How often each profile was touched, and in which order.
    touches: HashMap<String, u32>,
    order: Vec<Vec<i64>>,
    shards: Vec<VecDeque<Record>>,
    /// Records that the evaluator works off in a step, per shard.
    capacity: usize,
    /// Events that happen in a step, per shard.
    events: usize,
    /// When the evaluator stands still.
    stalled: std::ops::Range<i64>,
    longest_wait_ms: i64,
    evaluated: usize,
    reads: usize,
}

impl Model {
    fn new(shards: usize, capacity_per_second: usize, events_per_second: usize) -> Self {
        Self {
            now_ms: 0,
            due: (0..PARTS).map(|_| BTreeSet::new()).collect(),
            ticks: HashMap::new(),
            touches: HashMap::new(),
            order: (0..PARTS).map(|_| Vec::new()).collect(),
            shards: (0..shards).map(|_| VecDeque::new()).collect(),
            capacity: capacity_per_second / 10,
            events: events_per_second / 10,
            stalled: 0..0,
            longest_wait_ms: 0,
            evaluated: 0,
            reads: 0,
        }
    }

    /// So many profiles that have all become due within the last second.
    fn crowd(mut self, profiles: u32) -> Self {
        for number in 0..profiles {
            let due_ms = -i64::from(number % 1000);
            self.due[(number % PARTS) as usize].insert((due_ms, number.to_string()));
        }
        self
    }

    fn waiting(&self) -> usize {
        self.due.iter().map(BTreeSet::len).sum()
    }

    fn step(&mut self) {
        self.now_ms += STEP_MS;
        let (now_ms, is_stalled) = (self.now_ms, self.stalled.contains(&self.now_ms));
        for shard in &mut self.shards {
            shard.extend((0..self.events).map(|_| Record::Event(now_ms)));
            let worked_off = if is_stalled { 0 } else { self.capacity.min(shard.len()) };
            for record in shard.drain(..worked_off) {
                match record {
                    Record::Event(happened_ms) => {
                        self.longest_wait_ms = self.longest_wait_ms.max(now_ms - happened_ms);
                    }
                    Record::Tick(part, profile, due_ms) => {
                        let was_due = self.due[part as usize].remove(&(due_ms, profile));
                        self.evaluated += usize::from(was_due);
                    }
                }
            }
        }
    }

    fn pass(&mut self, millis: i64) {
        for _ in 0..(millis + STEP_MS - 1) / STEP_MS {
            self.step();
        }
    }
}

struct Simulation(Mutex<Model>);

impl Simulation {
    fn of(model: Model) -> Self {
        Self(Mutex::new(model))
    }

    fn model(&self) -> std::sync::MutexGuard<'_, Model> {
        self.0.lock().unwrap()
    }

    /// The runs of so many minutes.
    async fn minutes(&self, count: usize) -> Vec<Spread> {
        let mut runs = Vec::new();
        for _ in 0..count {
            let started_ms = self.model().now_ms;
            runs.push(spread(self, PACE).await.unwrap());
            let mut model = self.model();
            assert!(model.now_ms - started_ms <= MINUTE_MS, "a run ends before the next begins");
            let rest = started_ms + MINUTE_MS - model.now_ms;
            model.pass(rest);
        }
        runs
    }
}

impl Desk for Simulation {
    fn parts(&self) -> Vec<u32> {
        (0..PARTS).collect()
    }

    async fn due(&self, part: u32, now_ms: i64, limit: usize) -> anyhow::Result<Vec<(String, i64)>> {
        let mut model = self.model();
        model.reads += 1;
        let rows = model.due[part as usize].iter().filter(|(due_ms, _)| *due_ms <= now_ms).take(limit);
        Ok(rows.map(|(due_ms, profile)| (profile.clone(), *due_ms)).collect())
    }

    async fn touched(&self, ids: &[&str]) -> anyhow::Result<HashMap<String, i64>> {
        let model = self.model();
        Ok(ids.iter().filter_map(|id| Some(((*id).to_owned(), *model.ticks.get(*id)?))).collect())
    }

    async fn touch(&self, id: &str, now_ms: i64) -> anyhow::Result<()> {
        let mut model = self.model();
        let number: u32 = id.parse()?;
        let (part, due_ms) = (number % PARTS, -i64::from(number % 1000));
        model.ticks.insert(id.to_owned(), now_ms);
        let touches = model.touches.entry(id.to_owned()).or_default();
        *touches += 1;
        if *touches == 1 {
            model.order[part as usize].push(due_ms);
        }
        let shard = number as usize / 7 % model.shards.len();
        model.shards[shard].push_back(Record::Tick(part, id.to_owned(), due_ms));
        Ok(())
    }

    fn now_ms(&self) -> i64 {
        self.model().now_ms
    }

    async fn pause(&self, millis: i64) {
        self.model().pass(millis);
    }
}

#[tokio::test]
async fn a_hundred_thousand_at_one_midnight_are_touched_once_in_order_and_events_do_not_wait() {
    // The fewest shards a table on demand has, with as much time for events as for ticks.
    let simulation = Simulation::of(Model::new(4, 500, 100).crowd(100_000));
    let runs = simulation.minutes(2).await;
    // 62 a second in each of 16 parts, for 55 of 60 seconds.
    let ticked: Vec<u64> = runs.iter().map(|run| run.ticked).collect();
    assert_eq!(ticked, [54_560, 100_000 - 54_560]);
    assert!(runs[0].is_behind && !runs[1].is_behind);
    let latest_s: Vec<i64> = runs.iter().map(|run| run.max_lag_ms / 1000).collect();
    assert_eq!(latest_s, [54, 105], "how late the last of them are");
    let model = simulation.model();
    assert_eq!((model.waiting(), model.evaluated), (0, 100_000));
    assert!(model.touches.values().all(|touches| *touches == 1));
    assert!(model.order.iter().all(|part| part.is_sorted()), "those that have waited longest come first");
    assert!(model.longest_wait_ms <= 1000, "{}", model.longest_wait_ms);
    assert!(model.reads < 16 * 110, "one page per part and second: {}", model.reads);
}

#[tokio::test]
async fn an_evaluator_that_cannot_keep_up_sets_the_pace_and_events_wait_for_a_window_at_most() {
    // 400 a second together, 80 of them events.
    let simulation = Simulation::of(Model::new(2, 200, 40).crowd(30_000));
    let runs = simulation.minutes(2).await;
    assert!(runs[0].ticked < 26_000, "{}", runs[0].ticked);
    let model = simulation.model();
    assert_eq!((model.waiting(), model.evaluated), (0, 30_000));
    assert!(model.touches.values().all(|touches| *touches == 1));
    // 16 windows of 248 ticks, at 320 a second.
    assert!(model.longest_wait_ms <= 13_000, "{}", model.longest_wait_ms);
}

#[tokio::test]
async fn while_the_evaluator_stands_still_the_clock_holds_back_and_then_all_is_made_good() {
    let mut model = Model::new(4, 500, 100).crowd(60_000);
    model.stalled = 10_000..6 * MINUTE_MS;
    let simulation = Simulation::of(model);
    simulation.minutes(6).await;
    {
        let model = simulation.model();
        let in_stream: usize = model.shards.iter().map(VecDeque::len).sum();
        let events = 4 * 100 * 350;
        // A window a minute, where all would fit.
        assert!(in_stream - events < 7 * 4000, "{}", in_stream - events);
    }
    simulation.minutes(4).await;
    let model = simulation.model();
    assert_eq!((model.waiting(), model.evaluated), (0, 60_000));
    let again = model.touches.values().filter(|touches| **touches > 1).count();
    assert!(again < 10_000, "{again} were touched more than once");
}

#[tokio::test]
async fn those_with_whom_the_evaluator_always_fails_hold_up_nobody_else() {
    let simulation = Simulation::of(Model::new(4, 500, 100).crowd(20_000));
    // They come first, and their ticks are without effect: they are due since another instant than the model thinks.
    for number in 0..6000_u32 {
        let part = (number % PARTS) as usize;
        simulation.model().due[part].insert((-100_000, (1_000_000 + number).to_string()));
    }
    simulation.minutes(6).await;
    let model = simulation.model();
    assert_eq!(model.evaluated, 20_000);
    assert_eq!(model.waiting(), 6000);
    let touches: u32 = model.touches.iter().filter(|(id, _)| id.len() == 7).map(|(_, touches)| touches).sum();
    assert!(touches <= 2 * 6000, "{touches}");
}
