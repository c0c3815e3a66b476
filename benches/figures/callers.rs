//! Starts and ends by the API with more and more callers. The tests' stand-in for the kubelet reports Pods as ready.

use super::{
    growth::Series,
    side::{BURST_SIZE, Server, Side, by_callers},
    stats::time_stats,
    table::Row,
};

const CALLERS: [usize; 3] = [1, 4, 16];

pub async fn rows(series: &mut Vec<Series>) -> Vec<Row> {
    let side = Side::start(Server::Bot, 2 * BURST_SIZE).await;
    side.env.kubelet.ready_all_pods();
    let warm_up = by_callers(CALLERS[2], BURST_SIZE, async |number| {
        side.start_session(number, false).await.1
    });
    for (number, id) in warm_up.await.iter().enumerate() {
        side.delete(BURST_SIZE + number, id).await;
    }
    let (mut starts, mut ends) = (Vec::new(), Vec::new());
    for callers in CALLERS {
        let start = async |number| side.start_session(number, false).await;
        let (times, ids): (Vec<_>, Vec<_>) =
            by_callers(callers, 0, start).await.into_iter().unzip();
        starts.push((callers as f64, time_stats(&times).median));
        let end = async |number| side.delete(number, &ids[number]).await;
        let times = by_callers(callers, 0, end).await;
        ends.push((callers as f64, time_stats(&times).median));
    }
    let rows = vec![
        Row::of_growth(
            "16 callers, against one: from start to ready",
            "ms",
            [starts[0], starts[2]],
        ),
        Row::of_growth(
            "16 callers, against one: from stop to gone",
            "ms",
            [ends[0], ends[2]],
        ),
    ];
    for (title, points) in [("API: start to ready", starts), ("API: stop to gone", ends)] {
        let (work, unit) = ("callers", "ms");
        series.push(Series {
            title,
            work,
            unit,
            points,
        });
    }
    rows
}
