// Implementation of triangle_file.h.
#include "tools/report/triangle_file.h"

#include <fmt/format.h>

#include <filesystem>

#include "tools/document_node.h"

namespace blindspot::tools::report {

namespace {

std::array<std::string, 3> corner_names(const DocumentNode& root) {
  const std::vector<DocumentNode> images = root.at("images").elements();
  if (images.size() != 3) root.at("images").refuse("does not name three images");
  return {images[0].text(), images[1].text(), images[2].text()};
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

Preprocessing preprocessing_of(const DocumentNode& root) {
  constexpr std::int64_t largest_side = 65535;
  const DocumentNode node = root.at("model").at("preprocessing");
  Preprocessing preprocessing;
  preprocessing.input_size = node.at("input_size").whole(1, largest_side);
  preprocessing.resize = node.at("resize").whole(0, largest_side);
  preprocessing.crop = node.at("crop").whole(1, largest_side);
  if (node.at("interpolation").text() == "bicubic") preprocessing.interpolation = Interpolation::bicubic;
  return preprocessing;
}

/// As the network saw it; `path[n]` is image n of a tensor file.
Picture read_image(const std::string& name, const Preprocessing& preprocessing) {
  const std::size_t bracket = name.ends_with(']') ? name.rfind('[') : std::string::npos;
  const std::string path = std::filesystem::exists(name) ? name : name.substr(0, bracket);
  const std::vector<NamedImage> images = load_images(path, preprocessing);
  for (const NamedImage& image : images) {
    if (image.name == name) return to_picture(image.image);
  }
  throw Error(ErrorKind::input, fmt::format("{}: there is no such image in that file", name));
}

Picture read_corner(const std::string& file, const std::string& name, const Preprocessing& preprocessing) {
  try {
    return read_image(name, preprocessing);
  } catch (const Error& error) {
    throw Error(error.kind(), fmt::format("{} (a corner of the triangle in {}, named as it was where `blindspot "
                                          "triangle` ran; run report there, or put the image back)",
                                          error.what(), file));
  }
}

}  // namespace

TriangleFile read_triangle_file(const std::string& file, const PictureFinder& find) {
  const Json document = parse_document(file, "; a triangle is what `blindspot triangle --json` prints");
  const DocumentNode root(document, file, "");
  root.require_schema("blindspot/triangle/1");
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
  result.source_class = root.at("class").whole(0, 1'000'000'000);
  const Preprocessing preprocessing = preprocessing_of(root);
  for (std::size_t i = 0; i < names.size(); ++i) {
    result.corners[i] = find(names[i]);
    if (result.corners[i].rgb.empty()) result.corners[i] = read_corner(file, names[i], preprocessing);
    if (result.corners[i].width == preprocessing.input_size && result.corners[i].height == preprocessing.input_size) {
      continue;
    }
    throw Error(ErrorKind::input,
                fmt::format("{}: {} is {}x{} in the result, not {}x{} as the triangle’s network had it", file, names[i],
                            result.corners[i].width, result.corners[i].height, preprocessing.input_size,
                            preprocessing.input_size));
  }
  return result;
}

}  // namespace blindspot::tools::report
