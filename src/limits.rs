//! Every maximum of the product: name, unit, value, reason. Whoever reaches one is refused, evicted or cut
//! off in a stated way; nothing grows without a line here.

use std::time::Duration;

/// Longest ADU that enters the agent as bytes. Everything longer is a content block that only its name
/// enters.
pub const CONTROL_ADU_BYTES_MAX: usize = bundle_spec::adu::ADU_BYTES_MAX;
/// Longest input that is put into the job itself: a question, a report, a page. Leaves room for parameters.
pub const INLINE_BYTES_MAX: usize = 64 * 1024;
/// Longest single content block, in bytes: a chunk of a model, an input or an output that travels on its own.
pub const BLOCK_BYTES_MAX: u64 = 1024 * 1024;
/// Longest bundle payload that is taken or put together from fragments, in bytes: 1 TiB. The store's room
/// ends most of them earlier.
pub const PAYLOAD_BYTES_MAX: u64 = 1 << 40;
/// Longest input or output of a task that is read into memory, in bytes. Larger things travel as several
/// blocks.
pub const INPUT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// Most bundles held at a time. At about 600 bytes of memory each: 160 MB.
pub const BUNDLES_MAX: usize = 262_144;
/// Most fragments of one bundle, held or sent: 1 GiB in datagrams. What would need more waits for a better
/// link.
pub const FRAGMENTS_MAX: usize = 16_384;
/// Shortest part of a bundle that fills the rest of a stick or of a contact, in bytes: shorter ones cost more
/// in headers and fragments than they bring.
pub const FILLING_BYTES_MIN: u64 = 64 * 1024;
/// Most bundles of which it is remembered which parts have gone where.
pub const HANDOVERS_MAX: usize = 4_096;
/// Most transfers that were cut off of which one contact remembers how far they had come.
pub const OFFSETS_MAX: usize = 256;
/// How many of the bundles that a peer was last seen to have are remembered although they are not held here.
pub const POSSESSIONS_LATEST: u64 = 65_536;
/// Most bundles that one peer is remembered to have: all that can be held here, the latest others, and as
/// many again until some are forgotten. At about 40 bytes of memory each: 16 MB.
pub const POSSESSIONS_MAX: usize = BUNDLES_MAX + 131_072;
/// Most bundles that are put together from fragments at a time: each reads and writes the disk.
pub const REASSEMBLIES_MAX: usize = 4;
/// How long until a bundle that could not be put together, for lack of room, is tried again.
pub const REASSEMBLY_PAUSE: Duration = Duration::from_secs(30);
/// Most jobs remembered, finished ones included; the oldest finished ones are forgotten first.
pub const JOBS_MAX: usize = 65_536;
/// Most digests of bundles that are gone but still remembered, so that they are not taken twice.
pub const SEEN_MAX: usize = 524_288;
/// Most names of assets.
pub const MODELS_MAX: usize = 4_096;
/// Most askers of one job whose answers are addressed; later ones are answered from the result store.
pub const ASKERS_MAX: usize = 64;
/// Most entries of one job's journey; after that the middle is cut.
pub const JOURNEY_ENTRIES_MAX: usize = 64;
/// Most status reports made in `REPORTS_PERIOD`: what is left out is lost, never what it would have been
/// about.
pub const REPORTS_MAX: u32 = 256;
/// The time in which status reports are counted.
pub const REPORTS_PERIOD: Duration = Duration::from_secs(10);
/// Most status reports whose payload is being written.
pub const REPORTS_PENDING_MAX: usize = 512;
/// Shortest lifetime of a status report in milliseconds; otherwise it is that of the bundle that it is about.
pub const REPORT_LIFETIME_MS_MIN: u64 = 3600 * 1000;
/// Longest lifetime of a status report in milliseconds.
pub const REPORT_LIFETIME_MS_MAX: u64 = 14 * 24 * 3600 * 1000;
/// Most sealing keys that a node has or knows, epochs included.
pub const SEALING_KEYS_MAX: usize = 1_024;
/// Most links open at a time.
pub const LINKS_MAX: usize = 256;
/// Most nodes remembered that were met; the one that was met longest ago goes first.
pub const PEERS_MAX: usize = 4_096;
/// Most engines and most models taken from one advert.
pub const ADVERT_ENTRIES_MAX: usize = 256;
/// Most endpoints in which applications of one node are registered.
pub const REGISTRATIONS_MAX: usize = 4_096;
/// Most bytes of the text of an endpoint in which an application is registered.
pub const ENDPOINT_BYTES_MAX: usize = 1_024;
/// Longest time that one reader keeps a bundle from others; it may ask again.
pub const CLAIM_MAX: Duration = Duration::from_secs(3600);
/// Most bytes of the name of an asset: the key of its record has one byte more.
pub const MODEL_NAME_BYTES_MAX: usize = 255;
/// Most bundles in flight on one link, so that an urgent one never waits behind many.
pub const LINK_TRANSFERS_MAX: usize = 16;
/// Most bundles in flight on a link that takes short ones in batches, as long as they are no more than
/// [`LINK_BATCH_BYTES_MAX`] together.
pub const LINK_BATCH_MAX: usize = 256;
/// Most bytes in flight beyond the first [`LINK_TRANSFERS_MAX`] bundles: on a road of 10 Mbit/s they take
/// a fifth of a second.
pub const LINK_BATCH_BYTES_MAX: u64 = 256 * 1024;
/// Most receipts remembered and passed on.
pub const RECEIPTS_MAX: usize = 4_096;
/// Most entries in one summary frame (`have`): 1,000 digests of 16 bytes keep it under 64 KiB with room to
/// spare.
pub const SUMMARY_ENTRIES_MAX: usize = 1_000;
/// Most summary frames taken from one peer in one contact.
pub const SUMMARY_FRAMES_MAX: usize = 1_024;

/// How far a running clock may be set without being doubted, in milliseconds: what time servers put right.
pub const CLOCK_JUMP_MS_MAX: u64 = 5 * 60 * 1000;
/// How long a clock that has jumped is doubted, unless it goes back to where it was.
pub const CLOCK_DOUBT: Duration = Duration::from_secs(24 * 3600);
/// Longest lifetime of a bundle that is made here.
pub const LIFETIME_MAX: Duration = Duration::from_secs(366 * 24 * 3600);
/// Lifetime of a job if none is given: a bus that comes once a week comes at least twice.
pub const LIFETIME_DEFAULT: Duration = Duration::from_secs(14 * 24 * 3600);
/// How long an invitation holds if nobody says otherwise: long enough to be carried there by hand.
pub const INVITATION_LIFETIME: Duration = Duration::from_secs(30 * 24 * 3600);
/// Hops that a bundle made here may take. Enough for any mule chain; ends loops among strangers.
pub const HOP_LIMIT: u8 = 64;
/// How long a finished job is remembered beyond the lifetime of its bundle, so that a late copy is not run
/// again.
pub const TOMBSTONE_GRACE: Duration = Duration::from_secs(30 * 24 * 3600);
/// How long a contact may be silent before transmission begins without the peer's summary.
pub const SUMMARY_PATIENCE: Duration = Duration::from_secs(5);
/// How long until a transfer that was refused or cut off is tried again on the same contact.
pub const RETRY_PAUSE: Duration = Duration::from_secs(2);
/// How long a block that nobody needs any more stays: the same content may just have come in again, finished
/// in the store, while the news of it waits for its turn.
pub const RELEASE_PAUSE: Duration = Duration::from_secs(60);
/// How many times a task that crashed its worker is tried before the job is answered with a failure.
pub const TASK_ATTEMPTS_MAX: u32 = 2;
/// Most tasks running at once on one node, unless settings say otherwise.
pub const TASKS_MAX: usize = 1;

/// Longest frame between the node and a worker, in bytes: the inputs or the outputs of one task and their
/// names.
pub const WORKER_FRAME_BYTES_MAX: usize = 64 * 1024 * 1024 + 64 * 1024;
/// How much of what a worker said last on its standard error is kept, in bytes: enough for a reason.
pub const WORKER_STDERR_BYTES_MAX: usize = 4 * 1024;
/// How long a worker may take from its start until it says that it is ready.
pub const WORKER_HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a worker that was asked to stop may go on before it is killed.
pub const WORKER_GRACE: Duration = Duration::from_millis(500);
/// How long the first restart of a worker that died waits; doubles with every death in a row.
pub const WORKER_BACKOFF_MIN: Duration = Duration::from_millis(100);
/// How long the restart of a worker waits at most.
pub const WORKER_BACKOFF_MAX: Duration = Duration::from_secs(10);
/// Most pairs of model and engine whose crashes are remembered; the oldest is forgotten first.
pub const CRASHES_MAX: usize = 1_024;
/// Most values in the parameters of a task, lists counted with their elements.
pub const TASK_VALUES_MAX: usize = 4_096;
/// How deep lists in the parameters of a task may be nested.
pub const TASK_VALUE_DEPTH_MAX: u32 = 8;
