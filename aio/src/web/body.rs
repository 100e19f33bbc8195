//! Bodies of answers: bytes, or a file that is read as it is sent.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Frame, SizeHint};

use super::super::Runtime;
use super::files::Content;

type ContentFuture = Pin<Box<dyn Future<Output = io::Result<Content>> + Send>>;

pub(super) struct Body(Kind);

enum Kind {
    Bytes(Bytes),
    File {
        content: Option<Content>,
        left: u64,
        reading: Option<ContentFuture>,
        read: fn(Content) -> ContentFuture,
    },
}

impl Body {
    pub(super) fn empty() -> Self {
        Self(Kind::Bytes(Bytes::new()))
    }

    /// A part of a file, read 64 KiB at a time where blocking stops no other task.
    pub(super) fn file<R: Runtime>(content: Content) -> Self {
        let left = content.len();
        let read = |content: Content| -> ContentFuture {
            Box::pin(async { R::unblock(|| content.read()).await? })
        };
        Self(Kind::File { content: Some(content), left, reading: None, read })
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self(Kind::Bytes(bytes.into()))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Kind::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Kind::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Kind::File { left: 0, .. } => Poll::Ready(None),
            Kind::File { content, left, reading, read } => loop {
                if let Some(running) = reading {
                    let result = ready!(running.as_mut().poll(cx));
                    *reading = None;
                    match result {
                        Ok(read) => *content = Some(read),
                        Err(error) => return Poll::Ready(Some(Err(error))),
                    }
                }
                let Some(mut file) = content.take() else {
                    return Poll::Ready(None); // it failed before
                };
                let bytes = file.take();
                if !bytes.is_empty() {
                    *left -= bytes.len() as u64;
                    *content = Some(file);
                    return Poll::Ready(Some(Ok(Frame::data(bytes))));
                }
                *reading = Some(read(file));
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(&self.0, Kind::File { left: 0, .. })
            || matches!(&self.0, Kind::Bytes(bytes) if bytes.is_empty())
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Kind::File { left, .. } => SizeHint::with_exact(*left),
        }
    }
}
