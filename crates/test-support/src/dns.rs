//! DNS server of the cluster.

use std::net::{IpAddr, Ipv4Addr};

use tokio::{net::UdpSocket, task::JoinHandle};

/// Length of a message's header in bytes (RFC 1035, section 4.1.1).
const HEADER_BYTES: usize = 12;

/// DNS server for the Pods of nodes. All names below one domain have the address of this machine, and no other
/// name exists. Stops on drop.
pub struct Dns {
    task: JoinHandle<()>,
}

impl Dns {
    /// Starts it at the address that kubelets tell their Pods, which is also the domain's.
    pub async fn start(address: IpAddr, domain: &str) -> Self {
        let socket = UdpSocket::bind((address, 53)).await.unwrap();
        let IpAddr::V4(address) = address else {
            panic!("an IPv4 address")
        };
        let below: Vec<u8> = domain.split('.').flat_map(label).chain([0]).collect();
        let task = tokio::spawn(async move {
            let mut query = [0; 512];
            loop {
                let (length, client) = socket.recv_from(&mut query).await.unwrap();
                if let Some(response) = respond(&query[..length], &below, address) {
                    // A client that is gone asks nothing more.
                    let _ = socket.send_to(&response, client).await;
                }
            }
        });
        Self { task }
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A label as in a message: its length, then its bytes.
fn label(text: &str) -> Vec<u8> {
    [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat()
}

/// Returns the response to a query with one question, or `None` if it is malformed.
fn respond(query: &[u8], below: &[u8], address: Ipv4Addr) -> Option<Vec<u8>> {
    let question = query.get(HEADER_BYTES..)?;
    let name = question.iter().position(|byte| *byte == 0)? + 1;
    let question = question.get(..name + 4)?;
    let exists = question[..name].to_ascii_lowercase().ends_with(below);
    // Type A.
    let is_answered = exists && question[name..name + 2] == [0, 1];
    // A recursive server's response, without an error or for a name that does not exist.
    let flags = if exists { [0x81, 0x80] } else { [0x81, 0x83] };
    let counts = [0, 1, 0, is_answered.into(), 0, 0, 0, 0];
    let mut response = [&query[..2], &flags, &counts, question].concat();
    if is_answered {
        // The question's name, type A, class IN, a minute, four bytes.
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        response.extend(address.octets());
    }
    Some(response)
}
