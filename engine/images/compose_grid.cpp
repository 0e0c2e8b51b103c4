// Result pictures: rows of images with captions beneath, on white. Images are magnified by a whole factor, every pixel
// a square, so that what the network saw stays visible. Uses caption_font.h.
#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "blindspot/image.h"
#include "engine/images/caption_font.h"

namespace blindspot {
namespace {

// All in pixels of the result.
constexpr int least_image_side = 112;  // smaller images are magnified to at least this
constexpr int letter_scale = 2;        // one dot of the font
constexpr int letter_advance = (images::glyph_width + 1) * letter_scale;
constexpr int line_advance = (images::glyph_height + 2) * letter_scale;
constexpr int margin = 16;      // around the whole
constexpr int gap = 12;         // between cells
constexpr int caption_gap = 8;  // between an image and its caption
constexpr std::uint8_t ink = 0x20, frame = 0xD0;

std::vector<std::string_view> lines_of(std::string_view caption) {
  std::vector<std::string_view> lines;
  while (!caption.empty()) {
    const std::size_t end = std::min(caption.find('\n'), caption.size());
    lines.push_back(caption.substr(0, end));
    caption.remove_prefix(std::min(end + 1, caption.size()));
  }
  return lines;
}

int width_of(std::string_view line) {
  return line.empty() ? 0 : static_cast<int>(line.size()) * letter_advance - letter_scale;
}

struct Layout {
  int factor = 1;                         ///< whole magnification of every image
  int image_width = 0, image_height = 0;  ///< magnified
  int cell_width = 0;                     ///< of the image or the widest caption line
  std::vector<int> row_heights;           ///< image and the row's longest caption
  int width = 0, height = 0;              ///< of the result
};

Layout lay_out(const std::vector<std::vector<CaptionedPicture>>& rows) {
  if (rows.empty() || rows.front().empty()) throw Error(ErrorKind::fault, "a grid of no images");
  const Picture& first = rows.front().front().picture;
  Layout layout;
  layout.factor = std::max(1, (least_image_side + first.width - 1) / first.width);
  layout.image_width = first.width * layout.factor;
  layout.image_height = first.height * layout.factor;
  layout.cell_width = layout.image_width;
  std::size_t columns = 0;
  for (const auto& row : rows) {
    std::size_t lines = 0;
    for (const CaptionedPicture& cell : row) {
      if (cell.picture.width != first.width || cell.picture.height != first.height) {
        throw Error(ErrorKind::fault, fmt::format("a grid of images of unequal size: {}x{} and {}x{}", first.width,
                                                  first.height, cell.picture.width, cell.picture.height));
      }
      const auto captions = lines_of(cell.caption);
      lines = std::max(lines, captions.size());
      for (const std::string_view line : captions) layout.cell_width = std::max(layout.cell_width, width_of(line));
    }
    columns = std::max(columns, row.size());
    const int caption_height = static_cast<int>(lines) * line_advance;
    layout.row_heights.push_back(layout.image_height + (lines > 0 ? caption_gap + caption_height : 0));
    layout.height += layout.row_heights.back() + gap;
  }
  layout.width = 2 * margin + static_cast<int>(columns) * (layout.cell_width + gap) - gap;
  layout.height += 2 * margin - gap;
  return layout;
}

/// A white picture that is drawn upon.
class Canvas {
 public:
  Canvas(int width, int height)
      : picture_{width, height,
                 std::vector<std::uint8_t>(
                     std::size_t{3} * static_cast<std::size_t>(width) * static_cast<std::size_t>(height), 0xFF)} {}

  void fill(int left, int top, int width, int height, const std::uint8_t* rgb) {
    for (int y = top; y < top + height; ++y) {
      auto at = picture_.rgb.begin() + 3 * (std::ptrdiff_t{y} * picture_.width + left);
      for (int x = 0; x < width; ++x) at = std::copy_n(rgb, 3, at);
    }
  }

  void draw_picture(const Picture& source, int left, int top, int factor) {
    const std::uint8_t outline[3] = {frame, frame, frame};
    fill(left - 1, top - 1, source.width * factor + 2, source.height * factor + 2, outline);
    const std::uint8_t* rgb = source.rgb.data();
    for (int y = 0; y < source.height; ++y) {
      for (int x = 0; x < source.width; ++x, rgb += 3) fill(left + x * factor, top + y * factor, factor, factor, rgb);
    }
  }

  void draw_line(std::string_view line, int left, int top) {
    const std::uint8_t colour[3] = {ink, ink, ink};
    for (const char character : line) {
      for (int y = 0; y < images::glyph_height; ++y) {
        for (int x = 0; x < images::glyph_width; ++x) {
          if (!images::glyph_has_ink(character, x, y)) continue;
          fill(left + x * letter_scale, top + y * letter_scale, letter_scale, letter_scale, colour);
        }
      }
      left += letter_advance;
    }
  }

  Picture take() { return std::move(picture_); }

 private:
  Picture picture_;
};

}  // namespace

Picture compose_grid(const std::vector<std::vector<CaptionedPicture>>& rows) {
  const Layout layout = lay_out(rows);
  Canvas canvas(layout.width, layout.height);
  int top = margin;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    int left = margin;
    for (const CaptionedPicture& cell : rows[i]) {
      canvas.draw_picture(cell.picture, left + (layout.cell_width - layout.image_width) / 2, top, layout.factor);
      int line_top = top + layout.image_height + caption_gap;
      for (const std::string_view line : lines_of(cell.caption)) {
        canvas.draw_line(line, left + (layout.cell_width - width_of(line)) / 2, line_top);
        line_top += line_advance;
      }
      left += layout.cell_width + gap;
    }
    top += layout.row_heights[i] + gap;
  }
  return canvas.take();
}

}  // namespace blindspot
