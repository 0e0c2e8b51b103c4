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

std::vector<CaptionedPicture> strip_of(const WalkPlan& plan, const ClassNames& names, const PairNumbers& numbers,
                                       const WalkResult& result) {
  const Participant& source = plan.sources[numbers.source];
  const Participant& target = plan.targets[numbers.target];
  std::vector<CaptionedPicture> strip;
  strip.push_back({to_picture(source.image),
                   caption_text(names.label(source.predicted)) + probability_line(result.source_probability)});
  const std::vector<std::int64_t> shown = shown_iterations(plan.parameters);
  for (const WalkRecord& record : result.records) {
    if (!std::binary_search(shown.begin(), shown.end(), record.iteration)) continue;
    strip.push_back(
        {to_picture(record.image), fmt::format("step {}", record.iteration) + probability_line(record.probability)});
  }
  // In the mode `reference` the final state is not among the records.
  if (result.records.empty() || result.records.back().iteration != plan.parameters.iterations) {
    strip.push_back({to_picture(result.final_image), "final" + probability_line(result.probability)});
  }
  strip.push_back({to_picture(target.image), "to: " + caption_text(names.label(target.predicted))});
  return strip;
}

Picture grey_like(const Image& image) {
  return {image.width, image.height, std::vector<std::uint8_t>(image.values.size(), 128)};
}

}  // namespace

void write_pair_pictures(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                         const PairNumbers& numbers, const WalkResult& result) {
  const std::string pair = fmt::format("{}-{}.png", numbers.source, numbers.target);
  write_png(folder / ("final-" + pair), to_picture(result.final_image));
  write_png(folder / ("path-" + pair), compose_grid({strip_of(plan, names, numbers, result)}));
}

void write_grid(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                const ImageStore& store, std::span<const WalkedPair> walked) {
  const std::size_t count = plan.sources.size();
  std::vector<std::vector<CaptionedPicture>> rows(count, std::vector<CaptionedPicture>(count));
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = 0; j < count; ++j) rows[i][j] = {grey_like(plan.sources[j].image), "not walked\n"};
    rows[i][i] = {to_picture(plan.sources[i].image),
                  caption_text(names.label(plan.sources[i].predicted)) + probability_line(plan.sources[i].probability)};
  }
  for (const WalkedPair& pair : walked) {
    rows[pair.numbers.target][pair.numbers.source] = {
        to_picture(store.read(pair.final_image)),
        caption_text(names.label(plan.sources[pair.numbers.source].predicted)) +
            probability_line(pair.result.probability)};
  }
  write_png(folder / "grid.png", compose_grid(rows));
}

void write_images_file(const std::filesystem::path& folder, const WalkPlan& plan, int side, const ImageStore& store,
                       std::span<const WalkedPair> walked) {
  const auto pairs = static_cast<std::int64_t>(walked.size());
  const std::vector<std::int64_t> shape{pairs, 3, side, side};
  std::vector<FloatTensorRows> tensors{
      {"source", shape, walked.size(),
       [&](std::size_t i) { return plan.sources[walked[i].numbers.source].image.values; }},
      {"target", shape, walked.size(),
       [&](std::size_t i) { return plan.targets[walked[i].numbers.target].image.values; }},
      {"final", shape, walked.size(), [&](std::size_t i) { return store.read(walked[i].final_image).values; }}};
  if (plan.keep_path) {
    const std::size_t records = walked.empty() ? 0 : walked.front().record_images.size();
    tensors.push_back(
        {"path",
         {pairs, static_cast<std::int64_t>(records), 3, side, side},
         walked.size() * records,
         [&, records](std::size_t i) { return store.read(walked[i / records].record_images[i % records]).values; }});
  }
  write_float_rows(folder / "images.safetensors", {}, tensors);
}

}  // namespace blindspot::tools
