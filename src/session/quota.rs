//! The number of sessions that a person may have.

use super::Workspace;

/// Returns how many unnamed workspaces, counted from 0, may be claimed under a quota of `limit`, given
/// the workspaces of the person's sessions.
///
/// Usually this is `limit`. A session in another workspace, or in one that a higher quota allowed,
/// closes one unnamed workspace.
pub fn open_workspaces(limit: u8, taken: &[Workspace]) -> u8 {
    let fits = |number: &u8| fits(limit, *number, taken);
    (0..=limit).rev().find(fits).unwrap_or(0)
}

/// Returns true if a person may have sessions in all these workspaces. The last of them was claimed
/// because it is the unnamed one with this number, or because the person named it.
///
/// Unnamed workspaces with lower numbers count as taken. So claims of unnamed workspaces at the same
/// moment never exclude each other.
pub fn is_within_quota(limit: u8, unnamed: Option<u8>, taken: &[Workspace]) -> bool {
    let number = unnamed.map_or(0, |number| number.saturating_add(1));
    fits(limit, number, taken)
}

/// Returns true if the quota has room for the first unnamed workspaces and all other ones.
fn fits(limit: u8, number: u8, taken: &[Workspace]) -> bool {
    let is_first =
        |workspace: &&Workspace| (0..number).any(|it| Workspace::unnamed(it) == **workspace);
    let others = taken
        .iter()
        .filter(|workspace| !is_first(workspace))
        .count();
    usize::from(number) + others <= usize::from(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<Workspace> {
        let names = names.iter().map(|name| name.parse().expect("a name"));
        names.collect()
    }

    #[test]
    fn with_an_unchanged_quota_all_unnamed_workspaces_are_open_to_claims() {
        assert_eq!(open_workspaces(3, &[]), 3);
        assert_eq!(open_workspaces(3, &names(&["main", "main-3"])), 3);
    }

    #[test]
    fn named_workspaces_count() {
        assert_eq!(open_workspaces(2, &names(&["sales"])), 1);
        assert_eq!(open_workspaces(2, &names(&["sales", "main"])), 1);
        assert_eq!(open_workspaces(2, &names(&["sales", "ops"])), 0);
        assert_eq!(open_workspaces(1, &names(&["sales", "ops"])), 0);
    }

    #[test]
    fn after_the_quota_was_lowered_sessions_beyond_it_count() {
        assert_eq!(open_workspaces(2, &names(&["main-3"])), 1);
        assert_eq!(open_workspaces(2, &names(&["main-2", "main-3"])), 0);
        assert_eq!(open_workspaces(2, &names(&["main", "main-3"])), 1);
        assert_eq!(
            open_workspaces(1, &names(&["main-2", "main-3", "main-4"])),
            0
        );
    }

    #[test]
    fn of_two_claims_at_the_last_free_place_the_later_one_is_over_the_quota() {
        let all = names(&["main", "sales", "main-2"]);
        assert!(!is_within_quota(2, None, &all));
        assert!(!is_within_quota(2, Some(1), &all));
        let unnamed = names(&["main-2", "main"]);
        assert!(is_within_quota(2, Some(0), &unnamed));
        assert!(is_within_quota(2, Some(1), &unnamed));
        assert!(is_within_quota(2, None, &unnamed));
    }
}
