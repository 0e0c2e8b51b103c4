// Implementation of animation.h.
#include "tools/animation.h"

#include <fmt/format.h>

namespace blindspot::tools {

namespace {

constexpr std::size_t line_length = 16;
constexpr int milliseconds_on_the_way = 110, milliseconds_at_the_source = 800, milliseconds_at_the_end = 2000;

/// All frames have one size, so all captions have one length. Captions take printable ASCII only.
std::string centred(const std::string& text) {
  std::string line = text.substr(0, line_length);
  for (char& character : line) {
    if (character < ' ' || character > '~') character = '?';
  }
  return fmt::format("{:^{}}", line, line_length);
}

AnimationFrame frame_of(const Image& image, const std::string& what, const std::string& name, float probability,
                        int milliseconds) {
  const std::string caption =
      centred(what) + "\n" + centred(name) + "\n" + centred(fmt::format("p {:.4f}", probability));
  return {compose_grid({{{to_picture(image), caption}}}), milliseconds};
}

}  // namespace

void write_animation(const std::filesystem::path& folder, const WalkPlan& plan, const ClassNames& names,
                     const PairNumbers& numbers, const WalkResult& result) {
  const Participant& source = plan.sources[numbers.source];
  const std::string name = "as " + names.label(source.predicted);
  std::vector<AnimationFrame> frames{
      frame_of(source.image, "source", name, result.source_probability, milliseconds_at_the_source)};
  for (const WalkRecord& record : result.records) {
    if (record.iteration == plan.parameters.iterations) continue;
    frames.push_back(frame_of(record.image, fmt::format("step {}", record.iteration), name, record.probability,
                              milliseconds_on_the_way));
  }
  frames.push_back(frame_of(result.final_image, fmt::format("step {}", plan.parameters.iterations), name,
                            result.probability, milliseconds_at_the_end));
  write_apng(folder / fmt::format("path-{}-{}.apng", numbers.source, numbers.target), frames);
}

}  // namespace blindspot::tools
