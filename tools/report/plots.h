// The plots of a report. Uses report_data.h, figure.h and axes.h.
#pragma once

#include <string>
#include <vector>

#include "tools/report/axes.h"
#include "tools/report/figure.h"
#include "tools/report/report_data.h"

namespace blindspot::tools::report {

/// Where the curves of a walk lie in their figure, for scripts that mark a place on them.
Axes curve_axes(const Run& run);
/// Confidence in the classes of source and target at the records of a walk, and the least that keeps the source's.
Figure curve_figure(const Pair& pair, const Run& run, std::string name);

/// Confidence at a distance from the path, as a surface over iteration and distance; only for pairs that have widths.
Figure width_surface_figure(const Pair& pair, std::string name);
/// 5 % quantile of the confidence against the iteration, one line a distance.
Figure width_lines_figure(const Pair& pair, const Run& run, std::string name);
bool has_width(const Pair& pair);

/// What the names of a network's figures end in, one a network: nothing where there is only one, else "-" and the
/// network's, fit for a file and another for each.
std::vector<std::string> figure_endings(const ReportData& data);

struct Histogram {
  std::string name, title, unit;
  std::string network;         ///< whose pairs these are, where there are several
  std::vector<double> values;  ///< finite
};
/// What there is to count over the pairs of each network: only measures that at least one of them has. Names begin with
/// the measure; where there are several networks, the network's follows, fit for a file and another for each.
std::vector<Histogram> histograms_of(const ReportData& data);
Figure histogram_figure(const Histogram& histogram);
/// Of values, which must not be empty.
double median_of(std::vector<double> values);

struct CaptionedImage {
  Picture picture;
  std::vector<std::string> lines;
  bool framed = false;
};
/// Rows of pictures with captions beneath each, for strips and for the image grid.
Figure pictures_figure(std::vector<std::vector<CaptionedImage>> rows, std::string name, std::string title,
                       std::string description);

}  // namespace blindspot::tools::report
