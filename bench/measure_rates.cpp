// Measures that hulls and widths run at the device's forward rate: milliseconds an image of a hull of 66 points and of
// a width of 256 directions times four radii, against those of logits of as many images. Uses the public headers only.
//
//   measure_rates MODEL [TRIANGLES] [ROUNDS] [BATCH] [DEVICE]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <functional>

#include "blindspot/hull.h"
#include "blindspot/width.h"

namespace {

using namespace blindspot;

struct Cost {
  double milliseconds = 0;
  double processor = 0;  ///< milliseconds of all threads: what others run on this machine does not show in it
};

Cost cost_of(const std::function<void()>& call) {
  const auto start = std::chrono::steady_clock::now();
  const std::clock_t clock = std::clock();
  call();
  return {std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count(),
          1e3 * static_cast<double>(std::clock() - clock) / CLOCKS_PER_SEC};
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

Image made_image(int side, unsigned number) {
  Image image{side, side, std::vector<float>(static_cast<std::size_t>(3 * side * side))};
  unsigned state = number * 2654435761U + 1;
  for (float& value : image.values) {
    state = state * 1664525U + 1013904223U;
    value = static_cast<float>(state >> 8U) * 0x1p-24F;
  }
  return image;
}

void measure(Model& model, int count, int rounds) {
  const int side = model.information().preprocessing.input_size;
  std::vector<Image> images;
  for (unsigned i = 0; i < 3; ++i) images.push_back(made_image(side, i));
  const std::vector<Triangle> triangles(static_cast<std::size_t>(count), {&images[0], &images[1], &images[2], 0});
  const std::vector<WidthPoint> points = {{&images[0], &images[1], 0}};
  WidthOptions width;
  width.delta = 0;
  const std::vector<const Image*> plain(static_cast<std::size_t>(66 * count), images.data());
  const std::vector<const Image*> plain_width(1025, images.data());
  triangle_hulls(model, triangles, WalkMode::standard);  // takes the memory, readies the library
  path_widths(model, points, width);
  std::vector<Cost> hull, hull_forward, steps, steps_forward;
  // In turn, so that other work on the machine meets all alike.
  for (int round = 0; round < rounds; ++round) {
    fmt::print(stderr, "round {} of {}\n", round + 1, rounds);
    hull.push_back(cost_of([&] { triangle_hulls(model, triangles, WalkMode::standard); }));
    hull_forward.push_back(cost_of([&] { model.logits(plain); }));
    steps.push_back(cost_of([&] { path_widths(model, points, width); }));
    steps_forward.push_back(cost_of([&] { model.logits(plain_width); }));
  }
  const auto say = [](const char* what, const std::vector<Cost>& ours, const std::vector<Cost>& forward, double n) {
    std::vector<double> time, plain_time, ratios, processor;
    for (std::size_t i = 0; i < ours.size(); ++i) {
      time.push_back(ours[i].milliseconds / n);
      plain_time.push_back(forward[i].milliseconds / n);
      ratios.push_back(ours[i].milliseconds / forward[i].milliseconds);
      processor.push_back(ours[i].processor / forward[i].processor);
    }
    fmt::print("{}: {:.4f} ms an image, logits {:.4f}; ratio {:.3f}, of processor time {:.3f} (medians of {})\n", what,
               median(time), median(plain_time), median(ratios), median(processor), ours.size());
  };
  fmt::print("{} on {}, {} images at a time\n", model.information().architecture, model.device(), model.slice());
  say("hull of 66 points", hull, hull_forward, 66.0 * count);
  say("width of 256 x 4", steps, steps_forward, 1025);
  std::fflush(stdout);
}

}  // namespace

int main(int count, char** words) {
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.empty()) {
    fmt::print(stderr, "usage: measure_rates MODEL [TRIANGLES] [ROUNDS] [BATCH] [DEVICE]\n");
    return 2;
  }
  try {
    ModelOptions options;
    if (arguments.size() > 3) options.batch = std::stoi(arguments[3]);
    if (arguments.size() > 4) options.device = arguments[4];
    Model model = Model::open(arguments[0], options);
    measure(model, arguments.size() > 1 ? std::stoi(arguments[1]) : 10,
            arguments.size() > 2 ? std::stoi(arguments[2]) : 7);
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "measure_rates: {}\n", error.what());
    return 3;
  }
}
