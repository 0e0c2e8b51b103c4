// Implementation of table_formats.h.
#include "tools/table_formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "blindspot/one_line.h"
#include "tools/report/class_labels.h"
#include "tools/report/markup.h"

namespace blindspot::tools {

namespace {

using Cells = std::vector<std::string>;

/// One of the two tables: a line of headings, then a line a network.
struct Table {
  std::string title;
  Cells headings;
  std::vector<Cells> lines;
};

struct Style {
  std::string plus_minus, none;
};

std::string cell(const std::optional<MeanDeviation>& value, int decimals, const Style& style) {
  if (!value || std::isnan(value->mean)) return style.none;
  const std::string deviation = std::isnan(value->deviation) ? style.none : report::fixed(value->deviation, decimals);
  return report::fixed(value->mean, decimals) + style.plus_minus + deviation;
}

std::vector<std::string> labels_of(const std::vector<TableRow>& rows) {
  std::vector<std::string> names;
  names.reserve(rows.size());
  for (const TableRow& row : rows) names.push_back(one_line(row.model));
  return report::distinct_model_names(names);
}

Table distances_table(const std::vector<TableRow>& rows, const Style& style) {
  constexpr int decimals = 3;
  Table table{"Distance of the final image to its target: mean and standard deviation over all pairs",
              {"model", "RMSE", "Linf", "SSIM", "LPIPS"},
              {}};
  const std::vector<std::string> labels = labels_of(rows);
  for (const TableRow& row : rows) {
    table.lines.push_back({labels[table.lines.size()], cell(row.rmse, decimals, style), cell(row.linf, decimals, style),
                           cell(row.ssim, decimals, style), cell(row.lpips, decimals, style)});
  }
  return table;
}

Table confidences_table(const std::vector<TableRow>& rows, const Style& style) {
  constexpr int decimals = 2;
  Table table{
      "Confidence over the triangles of a source and two final images: at the source, mean, share of points above it "
      "less "
      "a drop, mean on the straight paths; mean and standard deviation over sources",
      {"model", "p_src", "triangle", "drop 0.0", "drop 0.1", "drop 0.2", "drop 0.3", "path"},
      {}};
  const std::vector<std::string> labels = labels_of(rows);
  for (const TableRow& row : rows) {
    Cells line{labels[table.lines.size()]};
    const TableRow::Confidences none{};
    const TableRow::Confidences& confidences = row.confidences ? *row.confidences : none;
    const auto add = [&](const MeanDeviation& value) {
      line.push_back(row.confidences ? cell(value, decimals, style) : style.none);
    };
    add(confidences.p_source);
    add(confidences.mean);
    for (const MeanDeviation& fraction : confidences.fractions) add(fraction);
    add(confidences.edge_mean);
    table.lines.push_back(std::move(line));
  }
  return table;
}

/// Characters, not bytes.
std::size_t width_of(const std::string& text) {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }));
}

/// Of the numbers' columns without their headings, which are short: rows look the same in any company.
std::vector<std::size_t> widths_of(const Table& table) {
  std::vector<std::size_t> widths(table.headings.size(), 0);
  widths[0] = width_of(table.headings[0]);
  for (const Cells& line : table.lines) {
    for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], width_of(line[i]));
  }
  return widths;
}

/// Cells of one width, but for the last.
std::string joined(const Cells& cells, const std::vector<std::size_t>& widths, const std::string& separator) {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    line += cells[i];
    if (i + 1 == cells.size()) break;
    line += std::string(std::max(widths[i], width_of(cells[i])) - width_of(cells[i]), ' ') + separator;
  }
  return line;
}

std::string as_text(const Table& table) {
  const std::vector<std::size_t> widths = widths_of(table);
  std::string text = table.title + "\n" + joined(table.headings, widths, " & ") + "\n";
  for (const Cells& line : table.lines) text += joined(line, widths, " & ") + "\n";
  return text;
}

std::string as_markdown(const Table& table) {
  const auto row = [](const Cells& cells) {
    std::string line = "|";
    for (std::string text : cells) {
      for (std::size_t at = text.find('|'); at != std::string::npos; at = text.find('|', at + 2)) text.insert(at, "\\");
      line += " " + text + " |";
    }
    return line + "\n";
  };
  std::string text = table.title + "\n\n" + row(table.headings) + "|";
  for (std::size_t i = 0; i < table.headings.size(); ++i) text += i == 0 ? " --- |" : " ---: |";
  text += "\n";
  for (const Cells& line : table.lines) text += row(line);
  return text;
}

std::string latex_escaped(const std::string& text) {
  std::string escaped;
  for (const char letter : text) {
    if (std::string_view("_%&#${}").find(letter) != std::string_view::npos) {
      escaped += std::string("\\") + letter;
    } else if (letter == '\\') {
      escaped += "\\textbackslash{}";
    } else if (letter == '~' || letter == '^') {
      escaped += std::string("\\") + letter + "{}";
    } else {
      escaped += letter;
    }
  }
  return escaped;
}

/// Symbols where the text has their names.
Cells latex_headings(Cells headings) {
  for (std::string& heading : headings) {
    if (heading == "Linf") {
      heading = "$L_\\infty$";
    } else if (heading == "p_src") {
      heading = "$p_\\mathrm{src}$";
    }
  }
  return headings;
}

std::string as_latex(const Table& table) {
  std::string text =
      "% " + table.title + "\n\\begin{tabular}{l" + std::string(table.headings.size() - 1, 'c') + "}\n\\hline\n";
  const auto row = [&text](const Cells& cells, bool numbers) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      text += (i == 0 ? "" : " & ") + (numbers && i > 0 ? cells[i] : latex_escaped(cells[i]));
    }
    text += "\\\\\n";
  };
  row(latex_headings(table.headings), true);
  text += "\\hline\n";
  for (const Cells& line : table.lines) row(line, true);
  return text + "\\hline\n\\end{tabular}\n";
}

/// Names and values of a row's numbers, in the order of the JSON.
using Numbers = std::vector<std::pair<std::string, std::optional<MeanDeviation>>>;

Numbers distances_of(const TableRow& row) {
  return {{"rmse", row.rmse}, {"linf", row.linf}, {"ssim", row.ssim}, {"lpips", row.lpips}};
}

Numbers confidences_of(const TableRow& row) {
  const auto of = [&row](const auto& get) {
    return row.confidences ? std::optional<MeanDeviation>(get(*row.confidences)) : std::nullopt;
  };
  Numbers numbers{{"p_source", of([](const auto& all) { return all.p_source; })},
                  {"mean", of([](const auto& all) { return all.mean; })}};
  for (std::size_t i = 0; i < 4; ++i) {
    numbers.emplace_back(fmt::format("fraction_0.{}", i), of([i](const auto& all) { return all.fractions[i]; }));
  }
  numbers.emplace_back("edge_mean", of([](const auto& all) { return all.edge_mean; }));
  numbers.emplace_back("edge_minimum", of([](const auto& all) { return all.edge_minimum; }));
  return numbers;
}

std::string as_csv(const std::vector<TableRow>& rows) {
  std::string text = "model,sources,pairs";
  const auto heading = [&text](const Numbers& numbers) {
    for (const auto& [name, value] : numbers) text += fmt::format(",{}_mean,{}_sd", name, name);
  };
  const auto line = [&text](const Numbers& numbers) {
    const auto field = [](double value) { return std::isnan(value) ? std::string() : fmt::format("{}", value); };
    for (const auto& [name, value] : numbers) {
      text += value ? fmt::format(",{},{}", field(value->mean), field(value->deviation)) : ",,";
    }
  };
  const TableRow empty;
  heading(distances_of(empty));
  heading(confidences_of(empty));
  text += "\n";
  for (const TableRow& row : rows) {
    text += fmt::format("{},{},{}", csv_field(row.model), row.sources, row.pairs);
    line(distances_of(row));
    line(confidences_of(row));
    text += "\n";
  }
  return text;
}

Json numbers_json(const Numbers& numbers) {
  const auto number = [](double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); };
  Json result = Json::object();
  for (const auto& [name, value] : numbers) {
    result[name] = nullptr;
    if (!value) continue;
    Json entry = Json::object();
    entry["mean"] = number(value->mean);
    entry["sd"] = number(value->deviation);
    result[name] = std::move(entry);
  }
  return result;
}

std::string as_json(const std::vector<TableRow>& rows) {
  Json result = document("table");
  result["rows"] = Json::array();
  for (const TableRow& row : rows) {
    Json entry = Json::object();
    entry["model"] = row.model;
    entry["sources"] = row.sources;
    entry["pairs"] = row.pairs;
    entry["distances"] = numbers_json(distances_of(row));
    entry["confidences"] = numbers_json(confidences_of(row));
    result["rows"].push_back(std::move(entry));
  }
  return to_text(result);
}

}  // namespace

TableFormat table_format_from(const std::string& text) {
  if (text == "text") return TableFormat::text;
  if (text == "markdown") return TableFormat::markdown;
  if (text == "latex") return TableFormat::latex;
  if (text == "csv") return TableFormat::csv;
  if (text == "json") return TableFormat::json;
  throw Error(ErrorKind::usage, fmt::format("--format {}: must be text, markdown, latex, csv or json", text));
}

std::string format_table(const std::vector<TableRow>& rows, TableFormat format) {
  if (format == TableFormat::csv) return as_csv(rows);
  if (format == TableFormat::json) return as_json(rows);
  const Style plain{" ± ", "-"}, latex{" $\\pm$ ", "--"};
  const Style& style = format == TableFormat::latex ? latex : plain;
  const Table first = distances_table(rows, style), second = confidences_table(rows, style);
  if (format == TableFormat::text) return as_text(first) + "\n" + as_text(second);
  if (format == TableFormat::markdown) return as_markdown(first) + "\n" + as_markdown(second);
  return as_latex(first) + "\n" + as_latex(second);
}

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char letter : text) quoted += letter == '"' ? "\"\"" : std::string(1, letter);
  return quoted + "\"";
}

}  // namespace blindspot::tools
