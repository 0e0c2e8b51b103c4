// The decisions of one adaptive search, apart from all arrays: which points it wants to know next. Uses the standard
// library only.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace blindspot::levelset {

/// Weights of the targets; a segment's second is 0.
using HullPlace = std::array<double, 2>;

/// What is known at a place. `log_odds` = ln(p/(1 − p)) and its derivatives along the two edges from the source: nearly
/// linear where p itself is flat at 1 and then falls off, so that a fall is seen from afar.
struct HullKnowledge {
  HullPlace place{};
  double log_odds = 0;
  std::optional<std::array<double, 2>> slope;  ///< where it was asked for
};

/// Places about which the same is to be asked: the value, and its slope where that decides what comes next.
struct HullQuestions {
  std::vector<HullPlace> places;
  bool slopes = true;
};

struct SearchRules {
  int targets = 1;          ///< 1: a segment, 2: a triangle
  int resolution = 64;      ///< cells of 1/resolution are not divided
  int start = 8;            ///< divisions of the first grid, about
  double delta = 0.2;       ///< a fall by more is a violation
  double tolerance = 5e-4;  ///< of the lowest confidence: what cannot fall by more is left alone
};

/// Cells are halved, the most suspicious first; when none is left that may hold less, the neighbourhood of the lowest
/// point is searched by cutting planes (Kelley 1960), between the points of the finest grid too, and at last, where it
/// has a kink, by asking for the values all around it.
class LowestSearch {
 public:
  explicit LowestSearch(const SearchRules& rules);

  /// What to ask next; no places: the search is over. Each must then be given to `tell`, in this order.
  HullQuestions next();
  void tell(const HullKnowledge& knowledge);

  const HullKnowledge& lowest() const { return known_[lowest_]; }
  double source_probability() const;
  static double probability(double log_odds);

 private:
  using Lattice = std::array<int, 2>;  // in units of 1/units_
  struct Cell {
    std::array<Lattice, 3> corners{};  // of a segment the first two
    int size = 0;
  };
  HullPlace place_of(const Lattice& point) const;
  void want(const Lattice& point, std::vector<HullPlace>& places);
  void first_cells();
  void divide(const Cell& cell, std::vector<HullPlace>& places);
  double suspected(const Cell& cell) const;
  double tolerated() const;
  std::vector<HullPlace> divide_suspicious();
  std::optional<HullPlace> lowest_of_tangents() const;
  std::vector<HullPlace> cut();
  bool is_new(const HullPlace& place, double apart) const;
  bool has_kink() const;
  std::vector<HullPlace> poll();

  SearchRules rules_;
  int units_ = 1;  // divisions of the finest grid
  std::vector<HullKnowledge> known_;
  std::size_t lowest_ = 0;
  std::map<Lattice, std::size_t> numbers_;  // of the lattice points that are known or wanted
  std::vector<Cell> cells_;                 // that may still be divided
  // Of the search by cutting planes.
  int cuts_ = 0;
  double reach_ = 1;  // how far its neighbourhood goes
  std::size_t lowest_before_cut_ = 0;
  // Of the questions all around the lowest point.
  int polls_ = 0;
  std::size_t polled_ = 0;  // the lowest point then
  bool started_ = false;
};

}  // namespace blindspot::levelset
