//! Where a file is cut into chunks. `model add` calls it; nothing is read here.
//!
//! Chunks of a model follow its tensors, so that two files that share tensors share chunks, and an edited
//! header changes the chunks of the header only. The rule is a part of the protocol (`adus.md`): nodes that
//! cut one file differently have two models.

use std::ops::Range;

use crate::limits::BLOCK_BYTES_MAX;

/// Parts below this length share chunks, in bytes. Longer ones share none, so that a tensor whose length
/// changes moves no cut but those of the few short ones beside it; and chunks stay few, as there are at most
/// two in 256 KiB even where every other part is short.
pub const SHARING_BYTES_MAX: u64 = 256 * 1024;

/// The chunks of a file of `len` bytes, in order and without gaps, each of 1 to [`BLOCK_BYTES_MAX`] bytes.
///
/// `boundaries` are the offsets at which parts of the file begin, ascending; for a model the end of its
/// header, then its tensors. The bytes before the first boundary (the header) share no chunk with others.
/// After that neighbours below [`SHARING_BYTES_MAX`] share a chunk, as many as fit; any other part is cut
/// every [`BLOCK_BYTES_MAX`] bytes and shares no chunk. Without boundaries all chunks but the last have
/// [`BLOCK_BYTES_MAX`] bytes. Boundaries outside the file or out of order are passed over.
#[must_use]
pub fn plan(len: u64, boundaries: &[u64]) -> Vec<Range<u64>> {
    let mut chunks = Vec::new();
    let mut parts = parts(len, boundaries);
    if let Some(header) = parts.next() {
        cut(&header, &mut chunks);
    }
    let mut open: Option<Range<u64>> = None;
    for part in parts {
        if part.end - part.start >= SHARING_BYTES_MAX {
            chunks.extend(open.take());
            cut(&part, &mut chunks);
            continue;
        }
        open = match open {
            Some(chunk) if part.end - chunk.start <= BLOCK_BYTES_MAX => Some(chunk.start..part.end),
            before => {
                chunks.extend(before);
                Some(part)
            }
        };
    }
    chunks.extend(open);
    chunks
}

/// The parts of the file between boundaries.
fn parts(len: u64, boundaries: &[u64]) -> impl Iterator<Item = Range<u64>> {
    let mut start = 0;
    boundaries.iter().copied().filter(move |end| *end < len).chain([len]).filter_map(move |end| {
        let part = start..end;
        if part.is_empty() {
            return None;
        }
        start = end;
        Some(part)
    })
}

/// Cuts one part every [`BLOCK_BYTES_MAX`] bytes.
fn cut(part: &Range<u64>, chunks: &mut Vec<Range<u64>>) {
    let mut start = part.start;
    while start < part.end {
        let end = part.end.min(start.saturating_add(BLOCK_BYTES_MAX));
        chunks.push(start..end);
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: u64 = BLOCK_BYTES_MAX;

    #[test]
    fn a_file_without_parts_is_cut_evenly() {
        assert_eq!(plan(0, &[]), []);
        assert_eq!(plan(1, &[]), vec![Range { start: 0, end: 1 }]);
        assert_eq!(plan(MAX, &[]), vec![Range { start: 0, end: MAX }]);
        assert_eq!(plan(2 * MAX + 1, &[]), [0..MAX, MAX..2 * MAX, 2 * MAX..2 * MAX + 1]);
    }

    #[test]
    fn a_header_shares_no_chunk_and_small_tensors_share_one() {
        assert_eq!(plan(500, &[100, 100, 200, 300]), [0..100, 100..500]);
        let short = MAX / 5;
        let boundaries: Vec<_> = (0..8).map(|part| 100 + part * short).collect();
        let cut = 100 + 5 * short;
        assert_eq!(plan(100 + 8 * short, &boundaries), [0..100, 100..cut, cut..100 + 8 * short]);
    }

    #[test]
    fn a_tensor_shares_no_chunk_from_a_quarter_of_one_on() {
        let (begin, end) = (200, 200 + SHARING_BYTES_MAX);
        assert_eq!(plan(end + 50, &[100, begin, end]), [0..100, 100..begin, begin..end, end..end + 50]);
        assert_eq!(plan(end + 49, &[100, begin, end - 1]), [0..100, 100..end + 49]);
    }

    #[test]
    fn a_tensor_that_gets_another_length_changes_no_cut_behind_the_next_long_one() {
        let lens_behind = |len: u64| {
            let boundaries = [100, 100 + len, 200 + len, 300 + len + SHARING_BYTES_MAX];
            let chunks = plan(boundaries[3] + 5 * MAX, &boundaries);
            let behind = chunks.iter().filter(|chunk| chunk.start >= boundaries[2]);
            behind.map(|chunk| chunk.end - chunk.start).collect::<Vec<_>>()
        };
        let expected = [SHARING_BYTES_MAX + 100, MAX, MAX, MAX, MAX, MAX];
        for len in [1, 5_000, SHARING_BYTES_MAX, MAX, 3 * MAX + 7] {
            assert_eq!(lens_behind(len), expected, "{len}");
        }
    }

    #[test]
    fn a_large_tensor_begins_a_chunk_and_keeps_its_rest_to_itself() {
        let large = 150..150 + MAX + 10;
        let chunks = plan(large.end + 50, &[100, large.start, large.end]);
        let cut = large.start + MAX;
        assert_eq!(
            chunks,
            [0..100, 100..large.start, large.start..cut, cut..large.end, large.end..large.end + 50]
        );
    }

    #[test]
    fn a_longer_header_moves_the_chunks_of_the_tensors_and_changes_none() {
        let tensors = [0, 300, 2 * MAX, 2 * MAX + 64, 5 * MAX];
        let of_header = |header: u64| {
            let boundaries: Vec<_> = tensors.iter().map(|offset| header + offset).collect();
            let chunks = plan(header + 6 * MAX, &boundaries);
            chunks[1..].iter().map(|chunk| chunk.start - header..chunk.end - header).collect::<Vec<_>>()
        };
        assert_eq!(of_header(1000), of_header(777_777));
    }

    #[test]
    fn boundaries_that_make_no_sense_are_passed_over() {
        assert_eq!(plan(100, &[0, 40, 30, 40, 100, 700, u64::MAX]), [0..40, 40..100]);
    }

    #[test]
    fn any_plan_covers_the_file_once() {
        bolero::check!().with_type::<(u32, Vec<u32>)>().for_each(|(len, boundaries)| {
            let len = u64::from(*len) % (64 * MAX);
            let boundaries: Vec<_> =
                boundaries.iter().map(|offset| u64::from(*offset) % (65 * MAX)).collect();
            let chunks = plan(len, &boundaries);
            let mut next = 0;
            for chunk in &chunks {
                assert_eq!(chunk.start, next);
                assert!(!chunk.is_empty() && chunk.end - chunk.start <= MAX);
                next = chunk.end;
            }
            assert_eq!(next, len);
        });
    }
}
