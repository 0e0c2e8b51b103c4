// Implementation of result_files.h.
#include "tools/result_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "blindspot/weights.h"

namespace blindspot::tools {

namespace {

constexpr std::size_t longest_caption = 14;

/// Captions take printable ASCII only.
std::string caption_text(const std::string& text) {
  std::string result;
  for (const char c : text.substr(0, longest_caption)) result += c >= ' ' && c <= '~' ? c : '?';
  return result;
}

std::string probability_line(float probability) {
  return fmt::format("\np {:.3f}", probability);
}

std::vector<CaptionedImage> strip_of(const WalkPlan& plan, const ClassNames& names, const PairNumbers& numbers,
                                     const WalkResult& result) {
  const Participant& source = plan.sources[numbers.source];
  const Participant& target = plan.targets[numbers.target];
  std::vector<CaptionedImage> strip;
  strip.push_back(
      {source.image, caption_text(names.label(source.predicted)) + probability_line(result.source_probability)});
  const std::vector<std::int64_t> shown = shown_iterations(plan.parameters);
  for (const WalkRecord& record : result.records) {
    if (!std::binary_search(shown.begin(), shown.end(), record.iteration)) continue;
    strip.push_back({record.image, fmt::format("step {}", record.iteration) + probability_line(record.probability)});
  }
  // In the mode `reference` the final state is not among the records.
  if (result.records.empty() || result.records.back().iteration != plan.parameters.iterations) {
    strip.push_back({result.final_image, "final" + probability_line(result.probability)});
  }
  strip.push_back({target.image, "to: " + caption_text(names.label(target.predicted))});
  return strip;
}

Image grey_like(const Image& image) {
  return {image.height, image.width, std::vector<float>(image.values.size(), 0.5F)};
}

void append(std::vector<float>& all, const Image& image) {
  all.insert(all.end(), image.values.begin(), image.values.end());
}

}  // namespace

void write_pair_pictures(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                         const PairNumbers& numbers, const WalkResult& result) {
  const std::string pair = fmt::format("{}-{}.png", numbers.source, numbers.target);
  write_png(folder / ("final-" + pair), to_picture(result.final_image));
  write_png(folder / ("path-" + pair), compose_grid({strip_of(plan, names, numbers, result)}));
}

void write_grid(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                std::span<const WalkedPair> walked) {
  const std::size_t count = plan.sources.size();
  std::vector<std::vector<CaptionedImage>> rows(count, std::vector<CaptionedImage>(count));
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) rows[i][j] = {grey_like(plan.sources[j].image), "not walked\n"};
    rows[i][i] = {plan.sources[i].image,
                  caption_text(names.label(plan.sources[i].predicted)) + probability_line(plan.sources[i].probability)};
  }
  for (const WalkedPair& pair : walked) {
    rows[pair.numbers.target][pair.numbers.source] = {
        pair.result.final_image, caption_text(names.label(plan.sources[pair.numbers.source].predicted)) +
                                     probability_line(pair.result.probability)};
  }
  write_png(folder / "grid.png", compose_grid(rows));
}

void write_images_file(const std::filesystem::path& folder, const WalkPlan& plan, int side,
                       std::span<const WalkedPair> walked) {
  std::vector<float> source;
  std::vector<float> target;
  std::vector<float> final_images;
  std::vector<float> path;
  std::int64_t records = 0;
  for (const WalkedPair& pair : walked) {
    append(source, plan.sources[pair.numbers.source].image);
    append(target, plan.targets[pair.numbers.target].image);
    append(final_images, pair.result.final_image);
    if (!plan.keep_path) continue;
    records = static_cast<std::int64_t>(pair.result.records.size());
    for (const WalkRecord& record : pair.result.records) append(path, record.image);
  }
  const auto pairs = static_cast<std::int64_t>(walked.size());
  const std::vector<std::int64_t> shape{pairs, 3, side, side};
  std::vector<NamedFloatTensor> tensors{
      {"source", shape, source}, {"target", shape, target}, {"final", shape, final_images}};
  if (plan.keep_path) tensors.push_back({"path", {pairs, records, 3, side, side}, path});
  write_float_tensors(folder / "images.safetensors", {}, tensors);
}

}  // namespace blindspot::tools
