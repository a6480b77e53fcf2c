//! The files of the decision log, and those of the facts.

use procura::fuzzing::{audit, facts as store};

/// Two segments: a byte that says whether numbers and checksums are made right, the length of the first, and both.
pub(crate) fn segment(data: &[u8]) {
    let Some(([mode, low, high], rest)) = data.split_first_chunk() else { return };
    let length = usize::from(u16::from_le_bytes([*low, *high]));
    match rest.split_at_checked(length) {
        Some((first, second)) if !second.is_empty() => audit::recover(&[first, second], mode & 1 == 1),
        _ => audit::recover(&[rest], mode & 1 == 1),
    }
}

/// A compressed segment: after a byte the file as it is, or blocks that are given a right table, or what to compress.
pub(crate) fn compressed(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    match mode % 3 {
        0 => audit::read_compressed(rest),
        1 => {
            let Some((len, rest)) = rest.split_first_chunk::<3>() else { return };
            let len = u64::from(u32::from_le_bytes([len[0], len[1], len[2], 0]));
            let blocks: Vec<&[u8]> = rest.split(|byte| *byte == u8::MAX).collect();
            audit::read_compressed(&audit::file_of(&blocks, len));
        }
        _ => audit::compress(rest),
    }
}

/// Facts: after a byte a journal as it is, or a snapshot before an empty journal, or the payloads of either, which are
/// given right lengths and checksums.
pub(crate) fn facts(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let file =
        if mode & 2 == 0 { rest.to_vec() } else { store::file_of(rest.split(|byte| *byte == u8::MAX)) };
    let (snapshot, journal) = store::names();
    let files = if mode & 1 == 0 {
        vec![(journal, file)]
    } else {
        vec![(snapshot, file), (journal, store::file_of([]))]
    };
    store::recover_twice(&audit::disk(files));
}
