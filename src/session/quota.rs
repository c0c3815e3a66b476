//! How many of an owner's places may be claimed.

/// The number of places, counted from 0, that a quota of `limit` leaves open to
/// claims, given the places that are `taken`.
///
/// That is `limit`, unless a larger quota was in force before: then a session
/// in a place beyond still counts, and takes one of those below with it.
pub fn open_slots(limit: u8, taken: &[u8]) -> u8 {
    let beyond = |places: u8| taken.iter().filter(|place| **place >= places).count();
    let fits = |places: &u8| usize::from(*places) + beyond(*places) <= usize::from(limit);
    (0..=limit).rev().find(fits).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_an_unchanged_quota_all_places_are_open_to_claims() {
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
