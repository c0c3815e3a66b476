//! Reads a query from an attached file.

use std::time::Duration;

use reqwest::Client;
use serenity::all::Attachment;

/// Maximum size of a file with a query, in bytes.
pub(crate) const MAX_FILE_BYTES: u32 = 64 << 10;
/// Maximum time to download a file.
pub(super) const FILE_TIMEOUT: Duration = Duration::from_secs(10);

/// Reasons why a file can't be read as a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnreadableFile {
    /// The file has this many bytes.
    TooLarge(u32),
    /// The file is not text in UTF-8.
    NotText,
    /// Discord did not send the file.
    Unavailable,
}

/// Downloads the query in an attached file.
pub(super) async fn read(client: &Client, file: &Attachment) -> Result<String, UnreadableFile> {
    if file.size > MAX_FILE_BYTES {
        return Err(UnreadableFile::TooLarge(file.size));
    }
    match download(client, file).await {
        Ok(content) => decode(content).ok_or(UnreadableFile::NotText),
        Err(_) => Err(UnreadableFile::Unavailable),
    }
}

/// Downloads a file that is attached to a message.
///
/// # Errors
/// If Discord does not send it.
pub(super) async fn download(client: &Client, file: &Attachment) -> reqwest::Result<Vec<u8>> {
    let answer = client.get(&file.url).send().await?.error_for_status()?;
    Ok(answer.bytes().await?.into())
}

/// Decodes UTF-8, with or without a byte order mark. Editors on Windows write one.
fn decode(content: Vec<u8>) -> Option<String> {
    let text = String::from_utf8(content).ok()?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(text) => text.to_owned(),
        None => text,
    };
    (!text.contains('\0')).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_text_in_utf_8_is_a_query() {
        let read = |content: &[u8]| decode(content.to_vec());
        assert_eq!(read("FROM é\r\n".as_bytes()).as_deref(), Some("FROM é\r\n"));
        assert_eq!(read(b"\xef\xbb\xbfFROM t").as_deref(), Some("FROM t"));
        assert_eq!(read(b"\xff\xfeF\0R\0O\0M\0"), None, "UTF-16");
        assert_eq!(read(b"F\0R\0O\0M\0"), None, "UTF-16 without a mark");
        assert_eq!(read(b"SELECT '\xe9'"), None, "Latin-1");
        assert_eq!(read(b"\x89PNG\r\n\x1a\n"), None);
    }
}
