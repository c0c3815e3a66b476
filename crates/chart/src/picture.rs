//! PNG pictures.

use std::sync::{Arc, LazyLock};

use resvg::{
    tiny_skia::{Pixmap, Transform},
    usvg::{self, fontdb},
};

use crate::text::FONT;

/// Pixels of the PNG per pixel of the SVG, for sharp text on screens with a high density.
const ZOOM: f32 = 2.0;

static FONTS: LazyLock<Arc<fontdb::Database>> = LazyLock::new(|| {
    let mut fonts = fontdb::Database::new();
    fonts.load_font_data(FONT.to_vec());
    Arc::new(fonts)
});

/// Renders the SVG of a [`crate::Drawing`], with two pixels for each of its pixels.
///
/// # Panics
/// If the text is not such an SVG.
pub fn png(svg: &str) -> Vec<u8> {
    let options = usvg::Options {
        fontdb: FONTS.clone(),
        ..usvg::Options::default()
    };
    let tree = usvg::Tree::from_str(svg, &options).expect("a drawing is valid SVG");
    let size = tree.size().to_int_size();
    let size = size.scale_by(ZOOM).expect("a drawing has a size");
    let mut pixels = Pixmap::new(size.width(), size.height()).expect("a drawing has a size");
    resvg::render(
        &tree,
        Transform::from_scale(ZOOM, ZOOM),
        &mut pixels.as_mut(),
    );
    pixels
        .encode_png()
        .expect("a picture in memory can be written")
}
