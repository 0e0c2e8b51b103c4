// Histograms over pairs. Uses plots.h.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <set>

#include "tools/numbers.h"
#include "tools/report/markup.h"
#include "tools/report/plots.h"

namespace blindspot::tools::report {

namespace {

constexpr double histogram_width = 320, histogram_height = 200;

/// Bins between round numbers that hold all values.
struct Bins {
  Range range;
  std::vector<std::size_t> counts;
};

Bins bins_of(const std::vector<double>& values) {
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  Range range{*least, *most};
  // All the same: a range that ends there.
  if (!(range.length() > 0)) range.low -= std::max(std::abs(*least) / 2, 0.01);
  const std::size_t wanted = std::clamp<std::size_t>(static_cast<std::size_t>(2 * std::sqrt(values.size())), 6, 30);
  const std::vector<double> ticks = round_ticks(range, static_cast<int>(wanted));
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : range.length();
  Bins bins;
  // A value that rounding put beyond a round number belongs to the bin that ends there.
  constexpr double slack = 0.01;
  bins.range.low = std::floor(range.low / step + slack) * step;
  const double steps = std::max(1.0, std::ceil((range.high - bins.range.low) / step - slack));
  bins.range.high = bins.range.low + steps * step;
  bins.counts.resize(static_cast<std::size_t>(steps));
  for (const double value : values) {
    const auto bin = static_cast<std::size_t>(std::max(0.0, (value - bins.range.low) / step));
    ++bins.counts[std::min(bin, bins.counts.size() - 1)];
  }
  return bins;
}

}  // namespace

double median_of(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

namespace {

/// "first-run-net" for "first/run/net"; `taken` holds those of the networks before it.
std::string file_name_of(const std::string& network, std::set<std::string>& taken) {
  std::string name;
  for (const char character : network) {
    const bool plain = std::isalnum(static_cast<unsigned char>(character)) != 0 || character == '.' ||
                       character == '_' || character == '-';
    name += plain ? character : '-';
  }
  std::string result = name;
  for (int number = 2; !taken.insert(result).second; ++number) result = fmt::format("{}-{}", name, number);
  return result;
}

std::vector<Histogram> histograms_of_run(const ReportData& data, std::size_t run) {
  std::vector<Histogram> histograms{
      {"confidence", "Final confidence in the source's class", "confidence in the source's class", {}, {}},
      {"lost", "Confidence lost by the walk", "confidence at the source − at the end", {}, {}},
      {"target-confidence", "Final confidence in the target's class", "confidence in the target's class", {}, {}},
      {"rmse", "Root mean square distance to the target", "RMSE", {}, {}},
      {"linf", "Largest difference of a value to the target", "L∞", {}, {}},
      {"ssim", "Structural similarity to the target", "SSIM", {}, {}},
      {"lpips", "Perceptual distance to the target", "LPIPS", {}, {}},
      {"accepted", "Share of steps taken", "accepted steps / all steps", {}, {}}};
  for (const Pair& pair : data.pairs) {
    if (pair.run != run) continue;
    const auto steps = static_cast<double>(pair.accepted + pair.rejected);
    const std::array<double, 8> values{pair.probability,
                                       pair.lost(),
                                       pair.target_probability,
                                       pair.rmse,
                                       pair.linf,
                                       pair.ssim,
                                       pair.lpips,
                                       static_cast<double>(pair.accepted) / steps};
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (std::isfinite(values[i])) histograms[i].values.push_back(values[i]);
    }
  }
  std::erase_if(histograms, [](const Histogram& histogram) { return histogram.values.empty(); });
  return histograms;
}

}  // namespace

std::vector<std::string> figure_endings(const ReportData& data) {
  if (data.runs.size() < 2) return {""};
  std::vector<std::string> endings;
  std::set<std::string> taken;
  for (const Run& run : data.runs) endings.push_back("-" + file_name_of(run.model, taken));
  return endings;
}

std::vector<Histogram> histograms_of(const ReportData& data) {
  if (data.runs.size() < 2) return histograms_of_run(data, 0);
  std::vector<Histogram> all;
  const std::vector<std::string> endings = figure_endings(data);
  for (std::size_t run = 0; run < data.runs.size(); ++run) {
    for (Histogram& histogram : histograms_of_run(data, run)) {
      histogram.name += endings[run];
      histogram.network = data.runs[run].model;
      all.push_back(std::move(histogram));
    }
  }
  return all;
}

Figure histogram_figure(const Histogram& histogram) {
  const auto [least, most] = std::minmax_element(histogram.values.begin(), histogram.values.end());
  const double median = median_of(histogram.values);
  Figure figure{"histogram-" + histogram.name,
                histogram.title + (histogram.network.empty() ? "" : ", " + histogram.network),
                fmt::format("Histogram of {}: from {:.4g} to {:.4g}, median {:.4g}.",
                            counted(histogram.values.size(), "pair"), *least, *most, median),
                histogram_width,
                histogram_height,
                nullptr};
  figure.draw = [histogram, median](Canvas& canvas) {
    const Bins bins = bins_of(histogram.values);
    const auto highest = static_cast<double>(*std::max_element(bins.counts.begin(), bins.counts.end()));
    const Axes axes{
        {38, 28}, histogram_width - 38 - 24, histogram_height - 28 - 46, bins.range, {0, std::max(highest, 4.0)}};
    axes.draw(canvas, histogram.unit, 4, 4);
    const double step = bins.range.length() / static_cast<double>(bins.counts.size());
    for (std::size_t i = 0; i < bins.counts.size(); ++i) {
      if (bins.counts[i] == 0) continue;
      const double low = bins.range.low + static_cast<double>(i) * step;
      const Point top = axes.at(low, static_cast<double>(bins.counts[i])), foot = axes.at(low + step, 0);
      canvas.rectangle({top.x + 0.75, top.y}, std::max(1.0, foot.x - top.x - 1.5), foot.y - top.y, {Ink::source, {}});
    }
    const Point middle = axes.at(median, 0);
    const std::array<Point, 2> mark{Point{middle.x, axes.top_left.y}, middle};
    canvas.line(mark, {{Ink::target, {}}, 1.5, true});
    canvas.text({histogram_width - 24, 16}, "median " + number(median),
                {small_letter_size, Anchor::end, Ink::target, true});
    canvas.text({38, 16}, "pairs", {small_letter_size, Anchor::middle, Ink::muted, false});
  };
  return figure;
}

}  // namespace blindspot::tools::report
