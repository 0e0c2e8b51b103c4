// Implementation of lowest_search.h.
#include "engine/levelset/lowest_search.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace blindspot::levelset {
namespace {

constexpr std::size_t cells_a_round = 2;
constexpr int most_cuts = 12;
constexpr int most_polls = 3;
constexpr std::array<HullPlace, 6> neighbours = {{{1, 0}, {-1, 0}, {0, 1}, {0, -1}, {1, -1}, {-1, 1}}};
// Samples an edge of the neighbourhood in which the cutting planes' lowest point is looked for.
constexpr int samples = 48;

/// The tangent of a place whose slope is known.
double along(const HullKnowledge& from, const HullPlace& to) {
  const std::array<double, 2>& slope = from.slope.value();
  return from.log_odds + slope[0] * (to[0] - from.place[0]) + slope[1] * (to[1] - from.place[1]);
}

double distance(const HullPlace& a, const HullPlace& b) {
  return std::max(std::abs(a[0] - b[0]), std::abs(a[1] - b[1]));
}

HullPlace between(const HullPlace& a, const HullPlace& b) {
  return {(a[0] + b[0]) / 2, (a[1] + b[1]) / 2};
}

}  // namespace

double LowestSearch::probability(double log_odds) {
  return 1 / (1 + std::exp(-log_odds));
}

LowestSearch::LowestSearch(const SearchRules& rules) : rules_(rules) {
  int divisions = std::max(1, rules.resolution);
  int halvings = 0;
  while (divisions > rules.start) {
    divisions = (divisions + 1) / 2;
    ++halvings;
  }
  units_ = divisions << halvings;
  reach_ = 1.0 / units_;
}

double LowestSearch::source_probability() const {
  return probability(known_.at(0).log_odds);
}

HullPlace LowestSearch::place_of(const Lattice& point) const {
  return {static_cast<double>(point[0]) / units_, static_cast<double>(point[1]) / units_};
}

void LowestSearch::want(const Lattice& point, std::vector<HullPlace>& places) {
  const auto number = known_.size() + places.size();
  if (numbers_.emplace(point, number).second) places.push_back(place_of(point));
}

void LowestSearch::tell(const HullKnowledge& knowledge) {
  known_.push_back(knowledge);
  if (known_.back().log_odds < known_[lowest_].log_odds) lowest_ = known_.size() - 1;
}

/// The cells of the first grid.
void LowestSearch::first_cells() {
  int size = units_;
  while (size % 2 == 0 && size / 2 * rules_.start >= units_) size /= 2;
  const int count = units_ / size;
  for (int i = 0; i < count; ++i) {
    if (rules_.targets == 1) {
      cells_.push_back({{Lattice{i * size, 0}, Lattice{(i + 1) * size, 0}, Lattice{}}, size});
      continue;
    }
    for (int j = 0; i + j < count; ++j) {
      const Lattice corner = {i * size, j * size};
      const Lattice right = {corner[0] + size, corner[1]};
      const Lattice up = {corner[0], corner[1] + size};
      cells_.push_back({{corner, right, up}, size});
      if (i + j + 1 < count) cells_.push_back({{Lattice{right[0], up[1]}, up, right}, size});
    }
  }
}

/// Lowest confidence that the cell may hold, as the values and slopes at its corners have it: each corner's tangent
/// half way to each other corner. On an edge no convex function with these tangents falls below that.
double LowestSearch::suspected(const Cell& cell) const {
  const std::size_t corners = rules_.targets == 1 ? 2 : 3;
  double lowest = std::numeric_limits<double>::infinity();
  for (std::size_t a = 0; a < corners; ++a) {
    const HullKnowledge& from = known_[numbers_.at(cell.corners[a])];
    lowest = std::min(lowest, from.log_odds);
    for (std::size_t b = 0; b < corners; ++b) {
      if (a != b) lowest = std::min(lowest, along(from, between(from.place, place_of(cell.corners[b]))));
    }
  }
  return probability(lowest);
}

/// What a cell may hold without being divided.
double LowestSearch::tolerated() const {
  const double lowest = probability(known_[lowest_].log_odds);
  const double allowed = source_probability() - rules_.delta;
  return lowest < allowed ? lowest - rules_.tolerance : std::max(lowest - rules_.tolerance, allowed);
}

void LowestSearch::divide(const Cell& cell, std::vector<HullPlace>& places) {
  const int half = cell.size / 2;
  const auto middle = [&cell](std::size_t a, std::size_t b) {
    return Lattice{(cell.corners[a][0] + cell.corners[b][0]) / 2, (cell.corners[a][1] + cell.corners[b][1]) / 2};
  };
  const Lattice first = middle(0, 1);
  want(first, places);
  if (rules_.targets == 1) {
    cells_.push_back({{cell.corners[0], first, Lattice{}}, half});
    cells_.push_back({{first, cell.corners[1], Lattice{}}, half});
    return;
  }
  const Lattice second = middle(1, 2);
  const Lattice third = middle(2, 0);
  want(second, places);
  want(third, places);
  cells_.push_back({{cell.corners[0], first, third}, half});
  cells_.push_back({{cell.corners[1], second, first}, half});
  cells_.push_back({{cell.corners[2], third, second}, half});
  cells_.push_back({{first, second, third}, half});
}

/// Divides the most suspicious cells; forgets those that are beyond suspicion or as fine as can be.
std::vector<HullPlace> LowestSearch::divide_suspicious() {
  std::vector<HullPlace> places;
  while (places.empty() && !cells_.empty()) {
    const double limit = tolerated();
    std::vector<std::pair<double, Cell>> suspicious;
    for (const Cell& cell : cells_) {
      if (cell.size % 2 != 0) continue;
      const double lowest = suspected(cell);
      // NaN is suspicious to no one: nothing better is found beside it.
      if (lowest < limit) suspicious.emplace_back(lowest, cell);
    }
    std::stable_sort(suspicious.begin(), suspicious.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    cells_.clear();
    for (std::size_t i = cells_a_round; i < suspicious.size(); ++i) cells_.push_back(suspicious[i].second);
    for (std::size_t i = 0; i < std::min(cells_a_round, suspicious.size()); ++i) divide(suspicious[i].second, places);
  }
  return places;
}

/// Whether nothing is known within `apart` of the place.
bool LowestSearch::is_new(const HullPlace& place, double apart) const {
  return std::all_of(known_.begin(), known_.end(),
                     [&](const HullKnowledge& point) { return distance(point.place, place) > apart; });
}

/// Where the largest of the tangents known within the neighbourhood is lowest; none where that promises too little.
std::optional<HullPlace> LowestSearch::lowest_of_tangents() const {
  const HullKnowledge& centre = known_[lowest_];
  std::vector<HullKnowledge> near;
  for (const HullKnowledge& point : known_) {
    if (distance(point.place, centre.place) <= 1.5 * reach_) near.push_back(point);
  }
  double best = std::numeric_limits<double>::infinity();
  HullPlace place{};
  const int across = rules_.targets == 1 ? 0 : samples;
  for (int i = -samples; i <= samples; ++i) {
    for (int j = -across; j <= across; ++j) {
      const HullPlace at = {centre.place[0] + reach_ * i / samples, centre.place[1] + reach_ * j / samples};
      if (at[0] < 0 || at[1] < 0 || at[0] + at[1] > 1) continue;
      double largest = -std::numeric_limits<double>::infinity();
      for (const HullKnowledge& point : near) largest = std::max(largest, along(point, at));
      if (!(largest < best)) continue;
      best = largest;
      place = at;
    }
  }
  const bool worth_it = probability(best) < probability(centre.log_odds) - rules_.tolerance / 2;
  return worth_it && is_new(place, reach_ / (2 * samples)) ? std::optional(place) : std::nullopt;
}

/// The next point of a search by cutting planes around the lowest point. Where a cut does not help the neighbourhood is
/// halved, and with it go the tangents that, the function not being convex, cut off too much.
std::vector<HullPlace> LowestSearch::cut() {
  const double smallest = 1.0 / (64.0 * units_);
  if (cuts_ > 0 && lowest_ == lowest_before_cut_) reach_ /= 2;
  for (; cuts_ < most_cuts && reach_ > smallest; reach_ /= 2) {
    const std::optional<HullPlace> place = lowest_of_tangents();
    if (!place) continue;
    ++cuts_;
    lowest_before_cut_ = lowest_;
    return {*place};
  }
  return {};
}

/// Whether a tangent of two cells' distance is wrong at the lowest point by more than the tolerance: the network has a
/// kink there.
bool LowestSearch::has_kink() const {
  const HullKnowledge& centre = known_[lowest_];
  return std::any_of(known_.begin(), known_.end(), [&](const HullKnowledge& point) {
    return point.slope && distance(point.place, centre.place) <= 2.0 / units_ &&
           std::abs(probability(along(point, centre.place)) - probability(centre.log_odds)) > rules_.tolerance;
  });
}

/// The surroundings of a kink at the lowest point, a quarter and half of the resolution away: another may be nearby and
/// lower, of which no tangent tells, so that none is asked for. Again around what turned out lower.
std::vector<HullPlace> LowestSearch::poll() {
  if (polls_ == most_polls || (polls_ > 0 && lowest_ == polled_) || !has_kink()) return {};
  const HullPlace centre = known_[lowest_].place;
  ++polls_;
  polled_ = lowest_;
  std::vector<HullPlace> places;
  for (const double step : {0.25 / units_, 0.5 / units_}) {
    for (const HullPlace& direction : neighbours) {
      const HullPlace at = {centre[0] + step * direction[0], centre[1] + step * direction[1]};
      const bool on_segment = rules_.targets > 1 || direction[1] == 0;
      const bool inside = on_segment && at[0] >= 0 && at[1] >= 0 && at[0] + at[1] <= 1;
      if (inside && is_new(at, 1.0 / (16.0 * units_))) places.push_back(at);
    }
  }
  return places;
}

HullQuestions LowestSearch::next() {
  HullQuestions questions;
  std::vector<HullPlace>& places = questions.places;
  if (!started_) {
    started_ = true;
    first_cells();
    want({0, 0}, places);
    for (const Cell& cell : cells_) {
      for (std::size_t i = 0; i < (rules_.targets == 1 ? 2U : 3U); ++i) want(cell.corners[i], places);
    }
    return questions;
  }
  places = divide_suspicious();
  if (places.empty() && polls_ == 0) places = cut();
  if (places.empty()) questions = {poll(), false};
  return questions;
}

}  // namespace blindspot::levelset
