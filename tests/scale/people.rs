//! Many people who use the bot at the same time.

use futures_util::future::join_all;
use test_support::TestEnv;

#[tokio::test]
async fn fifty_people_at_once_each_get_their_own() {
    let _alone = crate::lock_machine().await;
    let env = TestEnv::start().await;
    let quick = env.kubelet.ready_all_pods();
    let people: Vec<_> = (0..50)
        .map(|number| env.discord.add_person(&format!("p{number}"), &["analyst"]))
        .collect();
    let starts = people.iter().map(async |person| {
        env.cluster.store_credentials(person.id()).await;
        let asked = person.run_command("#data", "/duck start").await.unwrap();
        let acknowledged = asked.acknowledgement().await;
        asked.until(|it| it.content.contains("is ready")).await;
        acknowledged.elapsed
    });
    let acknowledged = join_all(starts).await;
    let latest = acknowledged.iter().max().unwrap();
    assert!(latest.as_secs() < 3, "{latest:?}");
    assert_eq!(env.cluster.objects().await.len(), 4 * people.len());
    for person in &people {
        let told = env.discord.history("#data").into_iter();
        let called = told.filter(|it| it.mentions == [person.id()]).count();
        assert_eq!(called, 1, "{}", person.name());
    }
    quick.abort();
    env.mark_all_read().await;
    env.assert_clean().await;
}
