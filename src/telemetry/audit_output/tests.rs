use std::{io::Read, os::unix::fs::PermissionsExt};

use super::*;

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("a file")
}

fn file_in(folder: &tempfile::TempDir) -> (PathBuf, Target) {
    let path = folder.path().join("audit.log");
    let target = Target::file(&path).expect("a file that can be opened");
    (path, target)
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a folder")
}

#[test]
fn a_file_is_appended_to_for_the_bots_user_only_and_follows_a_rotation() {
    let folder = folder();
    let (path, mut target) = file_in(&folder);
    target.write(b"1\n").expect("written");
    let mode = fs::metadata(&path).expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let rotated = folder.path().join("audit.log.1");
    fs::rename(&path, &rotated).expect("renamed");
    target.write(b"2\n").expect("written");
    assert_eq!((&*text(&rotated), &*text(&path)), ("1\n", "2\n"));

    fs::remove_file(&path).expect("removed");
    target.write(b"3\n").expect("written");
    assert_eq!(text(&path), "3\n");
    let mut later = Target::file(&path).expect("opened");
    later.write(b"4\n").expect("written");
    assert_eq!(text(&path), "3\n4\n");
}

#[test]
fn a_full_disk_is_an_error_and_a_torn_line_does_not_spoil_the_next_one() {
    let mut full = Target::file(Path::new("/dev/full")).expect("opened");
    let error = full.write(b"1\n").expect_err("no room");
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);

    let folder = folder();
    let (path, mut target) = file_in(&folder);
    target.write(b"1").expect("written");
    let Target::File(file) = &mut target else {
        panic!("it is a file");
    };
    file.is_torn = true;
    target.write(b"2\n").expect("written");
    assert_eq!(text(&path), "1\n2\n");
}

#[test]
fn a_file_that_can_not_be_opened_is_an_error_at_the_start() {
    assert!(Target::file(Path::new("/no/such/folder/audit.log")).is_err());
}

#[test]
fn a_socket_of_either_kind_gets_the_lines_and_may_come_back() {
    let folder = folder();
    let path = folder.path().join("audit.sock");
    let mut target = Target::socket(&path);
    assert!(target.write(b"0\n").is_err(), "nobody receives yet");

    let mut buffer = [0; 16];
    for line in ["1\n", "2\n"] {
        let _ = fs::remove_file(&path);
        let receiver = UnixDatagram::bind(&path).expect("bound");
        // The connection to the receiver before this one is noticed by its failure.
        let sent = target.write(line.as_bytes());
        sent.or_else(|_| target.write(line.as_bytes()))
            .expect("sent");
        let size = receiver.recv(&mut buffer).expect("received");
        assert_eq!(&buffer[..size], line.as_bytes());
    }

    let long = vec![b'x'; MAX_DATAGRAM + 1];
    let error = target.write(&long).expect_err("too long");
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);

    fs::remove_file(&path).expect("removed");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("bound");
    assert!(target.write(b"3\n").is_err(), "the datagram socket is gone");
    target.write(b"3\n").expect("sent");
    target.write(b"4\n").expect("sent");
    let (mut accepted, _) = listener.accept().expect("connected");
    accepted.read_exact(&mut buffer[..4]).expect("received");
    assert_eq!(&buffer[..4], b"3\n4\n");
}

#[test]
fn lines_wait_while_the_output_fails_and_what_is_too_much_is_lost_and_counted() {
    let folder = folder();
    let path = folder.path().join("audit.sock");
    let output = AuditOutput::start(Target::socket(&path)).expect("started");
    let line = vec![b'x'; 64 << 10];
    let fitting = MAX_WAITING / line.len();
    for _ in 0..fitting + 3 {
        output.push(&line);
    }
    assert_eq!(output.lost.load(Relaxed), 3);

    let receiver = UnixDatagram::bind(&path).expect("bound");
    let mut buffer = vec![0; line.len() + 1];
    for _ in 0..fitting {
        assert_eq!(receiver.recv(&mut buffer).expect("received"), line.len());
    }
    output.push(b"last\n");
    output.flush();
    assert_eq!(output.waiting.load(Relaxed), 0);
    assert_eq!(output.lost.load(Relaxed), 0, "they were reported");
}
