//! Saved work on a disk that is really full.

use duckbot::work::{Restored, SaveFailureReason};
use test_support::{NAMESPACE, Session, SmallDisk};

use super::work::{GRACE, Person, end, one};

/// Starts a session on a disk, without waiting for it.
fn start_on(disk: &SmallDisk, ana: &Person, id: &str) -> Session {
    let (namespace, home) = (disk.namespace(), disk.path().to_str().unwrap());
    ana.spawn_with(id, &[(NAMESPACE, &namespace), ("HOME", home)])
}

async fn ready_on(disk: &SmallDisk, ana: &Person, id: &str) -> Session {
    let mut session = start_on(disk, ana, id);
    session.wait_until_prepared().await;
    session
}

#[tokio::test]
async fn a_save_that_has_no_room_leaves_the_last_one_and_the_session_goes_on() {
    let Some(disk) = SmallDisk::mount("24m").await else {
        return;
    };
    let ana = Person::new(84);
    let mut session = ready_on(&disk, &ana, "fd0001").await;
    let run = async |sql: &str| session.run_sql(sql).await;
    run("CREATE TABLE kept AS SELECT 42 AS x").await.unwrap();
    let first = ana.save(&session, "fd0001").await.saved.unwrap();
    assert_eq!(first.number, 1);
    let large = "CREATE TABLE large AS SELECT random() AS x FROM range(300_000)";
    run(large).await.unwrap();

    // There is room for the beginning of a copy, then for most of it.
    for free in [0, 100, 1000, 2000] {
        disk.fill(free);
        let report = ana.save(&session, "fd0001").await;
        let failure = report.failure.unwrap();
        assert_eq!(failure.reason, SaveFailureReason::NoRoom, "{failure:?}");
        assert_eq!(report.saved, Some(first.clone()));
        assert!(
            report.is_changed && !disk.file(".duckdb/save").exists(),
            "{free}"
        );
        assert_eq!(ana.numbers(), [1]);
    }
    disk.fill(0);
    let error = run("INSERT INTO large SELECT random() FROM range(300_000)").await;
    assert!(error.unwrap_err().contains("No space left on device"));
    let count = "SELECT count(*) AS x FROM large";
    assert_eq!(one(&session, count).await, 300_000);

    disk.clear();
    run("INSERT INTO kept VALUES (43)").await.unwrap();
    let saved = ana.save(&session, "fd0001").await.saved.unwrap();
    assert_eq!((saved.number, saved.tables), (2, 2));

    // DuckDB can't recover from a checkpoint without room. What was committed is saved all the same.
    run("INSERT INTO kept VALUES (44)").await.unwrap();
    disk.fill(0);
    let fatal = run("CHECKPOINT").await.unwrap_err();
    assert!(fatal.contains("FATAL Error"), "{fatal}");
    disk.clear();
    let ended = session.terminate(GRACE).await.expect("it ended in time");
    if ended.code() != Some(0) {
        // The session had noticed it before it was told to end, and is started again as in its Pod.
        end(ready_on(&disk, &ana, "fd0001").await).await;
    }
    assert_eq!(ana.numbers(), [1, 2, 3], "{}", session.log());
    let session = ana.start("fd0002").await;
    let kept = "SELECT list(x ORDER BY x)::TEXT AS x FROM kept";
    assert_eq!(one(&session, kept).await, "[42, 43, 44]");
    assert_eq!(one(&session, count).await, 300_000);
}

#[tokio::test]
async fn a_duckdb_that_a_full_disk_made_unusable_is_started_again() {
    let Some(disk) = SmallDisk::mount("24m").await else {
        return;
    };
    let ana = Person::new(85);
    let mut session = ready_on(&disk, &ana, "fd0003").await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    disk.fill(0);
    session.run_sql("CHECKPOINT").await.unwrap_err();
    disk.clear();
    // Nobody asks for a save.
    let ended = session.wait(GRACE).await;
    assert!(ended.is_some(), "{}", session.log());
    let session = ready_on(&disk, &ana, "fd0003").await;
    assert_eq!(one(&session, "FROM kept").await, 42);
    let restored = ana.describe(&session, "fd0003").await.restored;
    assert_eq!(restored, Restored::Kept);
}

#[tokio::test]
async fn a_session_that_begins_on_a_full_disk_waits_for_room_and_puts_nothing_aside() {
    let Some(disk) = SmallDisk::mount("24m").await else {
        return;
    };
    let ana = Person::new(86);
    let session = ana.start("fd0004").await;
    session
        .run_sql("CREATE TABLE kept AS SELECT 42 AS x")
        .await
        .unwrap();
    end(session).await;
    disk.fill(8);
    let mut session = start_on(&disk, &ana, "fd0005");
    session
        .wait_for_log("the saved work can't be restored: No space left on device")
        .await;
    session.wait_for_log("work.duckdb\": No space left").await;
    disk.clear();
    session.wait_until_prepared().await;
    let report = ana.describe(&session, "fd0005").await;
    let Restored::Failed { failure, .. } = report.restored else {
        panic!("{report:?}");
    };
    assert_eq!(failure.reason, SaveFailureReason::NoRoom);
    assert_eq!(report.put_aside, []);
    let problems = session.problems().await;
    assert_eq!(problems.as_array().unwrap().len(), 1, "{problems}");
    assert_eq!(ana.numbers(), [1]);
}
