// Strips and grids of pictures with captions. Uses plots.h.
#include <algorithm>

#include "tools/report/plots.h"

namespace blindspot::tools::report {

namespace {

constexpr double side = 104, gap = 10, margin = 12, line_height = 16;

struct Layout {
  std::size_t columns = 0;
  double row_height = 0;
};

Layout layout_of(const std::vector<std::vector<CaptionedImage>>& rows) {
  Layout layout;
  std::size_t lines = 0;
  for (const std::vector<CaptionedImage>& row : rows) {
    layout.columns = std::max(layout.columns, row.size());
    for (const CaptionedImage& image : row) lines = std::max(lines, image.lines.size());
  }
  layout.row_height = side + 5 + line_height * static_cast<double>(lines) + gap;
  return layout;
}

/// A caption that fits beneath its picture; bytes of a cut UTF-8 sequence go with it.
std::string fitting(const std::string& text) {
  constexpr std::size_t most = 15;
  if (text.size() <= most) return text;
  std::size_t end = most - 1;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

void draw_cell(Canvas& canvas, const CaptionedImage& image, const Point& top_left) {
  if (image.picture.rgb.empty()) {
    canvas.rectangle(top_left, side, side, {Ink::rule, {}});
  } else {
    canvas.picture(top_left, side, side, image.picture);
  }
  if (image.framed) canvas.rectangle(top_left, side, side, {}, {{Ink::text, {}}, 2, false});
  double baseline = top_left.y + side + 15;
  for (const std::string& line : image.lines) {
    canvas.text({top_left.x + side / 2, baseline}, fitting(line),
                {small_letter_size, Anchor::middle, Ink::text, false});
    baseline += line_height;
  }
}

}  // namespace

Figure pictures_figure(std::vector<std::vector<CaptionedImage>> rows, std::string name, std::string title,
                       std::string description) {
  const Layout layout = layout_of(rows);
  Figure figure{std::move(name),
                std::move(title),
                std::move(description),
                2 * margin + static_cast<double>(layout.columns) * (side + gap) - gap,
                2 * margin + static_cast<double>(rows.size()) * layout.row_height - gap,
                nullptr};
  figure.draw = [rows = std::move(rows), layout](Canvas& canvas) {
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t j = 0; j < rows[i].size(); ++j) {
        draw_cell(
            canvas, rows[i][j],
            {margin + static_cast<double>(j) * (side + gap), margin + static_cast<double>(i) * layout.row_height});
      }
    }
  };
  return figure;
}

}  // namespace blindspot::tools::report
