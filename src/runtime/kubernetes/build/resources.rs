//! Resources of the containers of a session. The kubelet compares what a Pod writes, to volumes and logs,
//! with the sum of its containers' limits of `ephemeral-storage`.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity,
};

use crate::session::{Mebibytes, Record, Requests, Size};

/// Returns the resources of DuckDB's container. It shares the disk of its size with the door.
pub(super) fn duckdb(session: &Record, size: &Size) -> ResourceRequirements {
    let own = |disk: Mebibytes| {
        if session.is_runner() {
            disk
        } else {
            disk.minus(door_disk(disk))
        }
    };
    let Requests { cpu, memory, disk } = size.requests;
    ResourceRequirements {
        requests: Some(amounts(&cpu.to_string(), &memory.to_string(), own(disk))),
        limits: Some(amounts(
            &size.cpu.to_string(),
            &size.memory.to_string(),
            own(size.disk),
        )),
        claims: None,
    }
}

/// Returns the resources of the door's container.
pub(super) fn door(size: &Size) -> ResourceRequirements {
    let own = |disk| amounts("100m", "64Mi", door_disk(disk));
    ResourceRequirements {
        requests: Some(own(size.requests.disk)),
        limits: Some(own(size.disk)),
        claims: None,
    }
}

/// Part of a session's disk for the door's log. The kubelet's default keeps at most 50 MiB of it.
fn door_disk(disk: Mebibytes) -> Mebibytes {
    Mebibytes::new((disk.mebibytes() / 100).clamp(1, 64))
}

fn amounts(cpu: &str, memory: &str, disk: Mebibytes) -> BTreeMap<String, Quantity> {
    let disk = ("ephemeral-storage", disk.to_string());
    let all = [("cpu", cpu.to_owned()), ("memory", memory.to_owned()), disk];
    all.map(|(what, amount)| (what.to_owned(), Quantity(amount)))
        .into()
}
