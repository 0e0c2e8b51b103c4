// Figures as pixels. Uses figure.h and cairo.
#include <cairo.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <string>

#include "tools/report/colours.h"
#include "tools/report/figure.h"
#include "tools/report/markup.h"

namespace blindspot::tools::report {

namespace {

struct DestroySurface {
  void operator()(cairo_surface_t* surface) const { cairo_surface_destroy(surface); }
};
struct DestroyContext {
  void operator()(cairo_t* context) const { cairo_destroy(context); }
};
using Surface = std::unique_ptr<cairo_surface_t, DestroySurface>;

void check(cairo_status_t status) {
  if (status == CAIRO_STATUS_SUCCESS) return;
  throw Error(ErrorKind::device, fmt::format("a figure could not be drawn: {}", cairo_status_to_string(status)));
}

Surface new_surface(int width, int height) {
  Surface surface(cairo_image_surface_create(CAIRO_FORMAT_RGB24, width, height));
  check(cairo_surface_status(surface.get()));
  return surface;
}

class CairoCanvas final : public Canvas {
 public:
  CairoCanvas(double width, double height, double scale)
      : surface_(
            new_surface(static_cast<int>(std::lround(width * scale)), static_cast<int>(std::lround(height * scale)))),
        context_(cairo_create(surface_.get())) {
    cairo_scale(context_.get(), scale, scale);
    cairo_set_line_join(context_.get(), CAIRO_LINE_JOIN_ROUND);
    cairo_set_source_rgb(context_.get(), 1, 1, 1);
    cairo_paint(context_.get());
  }

  void line(std::span<const Point> points, const Stroke& stroke) override {
    trace(points);
    draw_stroke(stroke);
  }

  void area(std::span<const std::vector<Point>> polygons, const Paint& fill, const Stroke& stroke) override {
    for (const std::vector<Point>& polygon : polygons) {
      trace(polygon);
      cairo_close_path(context_.get());
    }
    fill_and_stroke(fill, stroke);
  }

  void disc(const Point& centre, double radius, const Paint& fill, const Stroke& stroke) override {
    constexpr double turn = 6.283185307179586;
    cairo_new_sub_path(context_.get());
    cairo_arc(context_.get(), centre.x, centre.y, radius, 0, turn);
    fill_and_stroke(fill, stroke);
  }

  void text(const Point& at, std::string_view text, const Lettering& lettering) override {
    const std::string words = well_formed(text);
    cairo_select_font_face(context_.get(), "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL,
                           lettering.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    // DejaVu is wider than the sans-serif faces of browsers.
    cairo_set_font_size(context_.get(), 0.92 * lettering.size);
    cairo_text_extents_t extents{};
    cairo_text_extents(context_.get(), words.c_str(), &extents);
    double left = at.x;
    if (lettering.anchor == Anchor::middle) left -= extents.x_advance / 2;
    if (lettering.anchor == Anchor::end) left -= extents.x_advance;
    take({lettering.ink, {}});
    cairo_move_to(context_.get(), left, at.y);
    cairo_show_text(context_.get(), words.c_str());
    cairo_new_path(context_.get());
  }

  void picture(const Point& top_left, double width, double height, const Picture& picture) override {
    const Surface pixels = new_surface(picture.width, picture.height);
    copy_into(pixels.get(), picture);
    cairo_save(context_.get());
    cairo_translate(context_.get(), top_left.x, top_left.y);
    cairo_scale(context_.get(), width / picture.width, height / picture.height);
    cairo_set_source_surface(context_.get(), pixels.get(), 0, 0);
    const bool magnified = width > picture.width;
    cairo_pattern_set_filter(cairo_get_source(context_.get()), magnified ? CAIRO_FILTER_NEAREST : CAIRO_FILTER_GOOD);
    cairo_pattern_set_extend(cairo_get_source(context_.get()), CAIRO_EXTEND_PAD);
    cairo_rectangle(context_.get(), 0, 0, picture.width, picture.height);
    cairo_fill(context_.get());
    cairo_restore(context_.get());
  }

  Picture take_picture() {
    check(cairo_status(context_.get()));
    cairo_surface_flush(surface_.get());
    Picture result;
    result.width = cairo_image_surface_get_width(surface_.get());
    result.height = cairo_image_surface_get_height(surface_.get());
    const std::ptrdiff_t stride = cairo_image_surface_get_stride(surface_.get());
    const unsigned char* data = cairo_image_surface_get_data(surface_.get());
    for (int y = 0; y < result.height; ++y) {
      for (int x = 0; x < result.width; ++x) {
        // RGB24 is a 32-bit word, blue lowest; x86-64 is little-endian.
        const unsigned char* pixel = data + y * stride + std::ptrdiff_t{4} * x;
        result.rgb.insert(result.rgb.end(), {pixel[2], pixel[1], pixel[0]});
      }
    }
    return result;
  }

 private:
  static void copy_into(cairo_surface_t* surface, const Picture& picture) {
    unsigned char* data = cairo_image_surface_get_data(surface);
    const std::ptrdiff_t stride = cairo_image_surface_get_stride(surface);
    const std::uint8_t* rgb = picture.rgb.data();
    for (int y = 0; y < picture.height; ++y) {
      for (int x = 0; x < picture.width; ++x, rgb += 3) {
        unsigned char* pixel = data + y * stride + std::ptrdiff_t{4} * x;
        pixel[0] = rgb[2];
        pixel[1] = rgb[1];
        pixel[2] = rgb[0];
      }
    }
    cairo_surface_mark_dirty(surface);
  }

  void trace(std::span<const Point> points) {
    cairo_new_sub_path(context_.get());
    for (const Point& point : points) cairo_line_to(context_.get(), point.x, point.y);
  }

  void take(const Paint& paint) {
    const Rgb rgb = paint.ink == Ink::exact ? paint.rgb : light_colour(paint.ink);
    cairo_set_source_rgb(context_.get(), rgb[0] / 255.0, rgb[1] / 255.0, rgb[2] / 255.0);
  }

  void draw_stroke(const Stroke& stroke) {
    if (stroke.paint.ink != Ink::none) {
      constexpr std::array<double, 2> dashes{4, 3};
      cairo_set_dash(context_.get(), dashes.data(), stroke.dashed ? 2 : 0, 0);
      cairo_set_line_width(context_.get(), stroke.width);
      take(stroke.paint);
      cairo_stroke_preserve(context_.get());
    }
    cairo_new_path(context_.get());
  }

  void fill_and_stroke(const Paint& fill, const Stroke& stroke) {
    if (fill.ink != Ink::none) {
      take(fill);
      cairo_fill_preserve(context_.get());
    }
    draw_stroke(stroke);
  }

  Surface surface_;
  std::unique_ptr<cairo_t, DestroyContext> context_;
};

}  // namespace

Picture rasterised(const Figure& figure, double scale) {
  CairoCanvas canvas(figure.width, figure.height, scale);
  figure.draw(canvas);
  return canvas.take_picture();
}

}  // namespace blindspot::tools::report
