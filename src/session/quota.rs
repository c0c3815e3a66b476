//! The number of an owner's slots that may be claimed.

/// Returns how many slots, counted from 0, may be claimed under a quota of `limit`, given the
/// slots that are `taken`.
///
/// Usually this is `limit`. After the quota was lowered, a session in a slot beyond it still
/// counts, and closes one slot below.
pub fn open_slots(limit: u8, taken: &[u8]) -> u8 {
    let beyond = |places: u8| taken.iter().filter(|place| **place >= places).count();
    let fits = |places: &u8| usize::from(*places) + beyond(*places) <= usize::from(limit);
    (0..=limit).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_an_unchanged_quota_all_slots_are_open_to_claims() {
        assert_eq!(open_slots(3, &[]), 3);
        assert_eq!(open_slots(3, &[0, 2]), 3);
    }

    #[test]
    fn after_the_quota_was_lowered_sessions_beyond_it_count() {
        assert_eq!(open_slots(2, &[2]), 1);
        assert_eq!(open_slots(2, &[1, 2]), 0);
        assert_eq!(open_slots(2, &[0, 2]), 1);
        assert_eq!(open_slots(1, &[1, 2, 3]), 0);
    }
}
