// Implementation of triangle_file.h.
#include "tools/report/triangle_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "blindspot/weights.h"
#include "tools/document_node.h"

namespace blindspot::tools::report {

namespace {

/// A corner is a name, or an object with a `path`.
std::string corner_name(const DocumentNode& node) {
  return node.has("path") ? node.at("path").text() : node.text();
}

std::array<std::string, 3> corner_names(const DocumentNode& root) {
  if (root.has("images")) {
    const std::vector<DocumentNode> images = root.at("images").elements();
    if (images.size() != 3) root.at("images").refuse("does not name three images");
    return {corner_name(images[0]), corner_name(images[1]), corner_name(images[2])};
  }
  return {corner_name(root.at("source")), corner_name(root.at("first")), corner_name(root.at("second"))};
}

std::vector<HullPoint> points_of(const DocumentNode& root) {
  constexpr double slack = 1e-6;
  std::vector<HullPoint> points;
  for (const DocumentNode& node : root.at("points").elements()) {
    const std::vector<DocumentNode> t = node.at("t").elements();
    if (t.size() != 2) node.at("t").refuse("is not two numbers");
    const HullPoint point{t[0].number(), t[1].number(), node.at("probability").probability()};
    if (point.t1 < 0 || point.t2 < 0 || point.t1 + point.t2 > 1 + slack) node.at("t").refuse("is outside the triangle");
    points.push_back(point);
  }
  if (points.size() < 3) root.at("points").refuse("holds fewer than three points");
  return points;
}

/// A picture file, or the first image of a tensor file, as it is.
Picture read_corner(const std::string& path) {
  if (std::filesystem::path(path).extension() != ".safetensors") return read_picture(path);
  std::vector<std::int64_t> shape = FloatTensorFile(path).shape("image");
  Preprocessing as_it_is;
  if (shape.size() > 2) as_it_is.input_size = static_cast<int>(shape.back());
  return to_picture(load_images(path, as_it_is).at(0).image);
}

}  // namespace

TriangleFile read_triangle_file(const std::string& file, const PictureFinder& find) {
  const Json document = parse_document(file, "; a triangle is what `blindspot triangle --json` prints");
  const DocumentNode root(document, file, "");
  const std::array<std::string, 3> names = corner_names(root);
  TriangleFile result;
  Triangle& triangle = result.triangle;
  triangle.source = names[0];
  triangle.first = names[1];
  triangle.second = names[2];
  triangle.points = points_of(root);
  triangle.p_source = root.at("p_source").probability();
  triangle.mean = root.at("mean").probability();
  triangle.edge_mean = root.at("edge_mean").probability();
  triangle.edge_minimum = root.at("edge_minimum").number_or_nan();
  for (const DocumentNode& node : root.at("fractions").elements()) {
    triangle.fractions.emplace_back(node.at("drop").number(), node.at("fraction").probability());
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.corners[i] = find(names[i]);
    if (result.corners[i].rgb.empty()) result.corners[i] = read_corner(names[i]);
    if (result.corners[i].width == result.corners[0].width && result.corners[i].height == result.corners[0].height) {
      continue;
    }
    throw Error(ErrorKind::input,
                fmt::format("{}: {} and {} are not of one size; take images that have the network's input size", file,
                            names[0], names[i]));
  }
  return result;
}

}  // namespace blindspot::tools::report
