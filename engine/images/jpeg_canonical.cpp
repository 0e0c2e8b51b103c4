// Writes a parsed JPEG back as a plain file, so that the decoder meets only what was checked: colours told in one way,
// tables in fixed slots, no application data. Uses jpeg_structure.h.
#include <algorithm>
#include <initializer_list>

#include "engine/images/jpeg_structure.h"

namespace blindspot::images {
namespace {

using Bytes = std::vector<std::uint8_t>;

void append(Bytes& out, std::initializer_list<int> values) {
  for (const int value : values) out.push_back(static_cast<std::uint8_t>(value));
}

/// A marker with the length of its payload, big-endian and counting itself.
void begin_segment(Bytes& out, int marker, std::size_t payload) {
  const int length = static_cast<int>(payload) + 2;
  append(out, {0xFF, marker, length >> 8, length & 255});
}

void append_adobe(Bytes& out, int transform) {
  begin_segment(out, 0xEE, 12);
  append(out, {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, transform});
}

void append_huffman(Bytes& out, int kind, std::size_t slot, const JpegHuffmanTable& table) {
  if (table.symbol_count == 0) return;
  begin_segment(out, 0xC4, 17 + static_cast<std::size_t>(table.symbol_count));
  append(out, {kind << 4 | static_cast<int>(slot)});
  out.insert(out.end(), table.counts.begin(), table.counts.end());
  out.insert(out.end(), table.symbols.begin(), table.symbols.begin() + table.symbol_count);
}

void append_frame(Bytes& out, const JpegStructure& structure) {
  const auto& components = structure.components;
  for (std::size_t i = 0; i < components.size(); ++i) {
    begin_segment(out, 0xDB, 129);
    append(out, {0x10 | static_cast<int>(i)});
    for (const std::uint16_t value : components[i].quantisation) append(out, {value >> 8, value & 255});
  }
  begin_segment(out, structure.progressive ? 0xC2 : 0xC1, 6 + 3 * components.size());
  append(out, {8, structure.height >> 8, structure.height & 255, structure.width >> 8, structure.width & 255,
               static_cast<int>(components.size())});
  for (std::size_t i = 0; i < components.size(); ++i) {
    const int index = static_cast<int>(i);
    append(out, {index + 1, components[i].horizontal << 4 | components[i].vertical, index});
  }
}

void append_scan(Bytes& out, const JpegScan& scan, std::span<const std::uint8_t> bytes) {
  begin_segment(out, 0xDD, 2);
  append(out, {scan.restart_interval >> 8, scan.restart_interval & 255});
  for (std::size_t i = 0; i < scan.components.size(); ++i) {
    append_huffman(out, 0, i, scan.components[i].dc);
    append_huffman(out, 1, i, scan.components[i].ac);
  }
  begin_segment(out, 0xDA, 4 + 2 * scan.components.size());
  append(out, {static_cast<int>(scan.components.size())});
  for (std::size_t i = 0; i < scan.components.size(); ++i) {
    append(out, {scan.components[i].component + 1, static_cast<int>(i) * 0x11});
  }
  append(out, {scan.spectral_start, scan.spectral_end, scan.approximation_high << 4 | scan.approximation_low});
  const auto data = bytes.subspan(scan.data_begin, scan.data_end - scan.data_begin);
  out.insert(out.end(), data.begin(), data.end());
}

}  // namespace

std::vector<std::uint8_t> canonical_jpeg(const JpegStructure& structure, std::span<const std::uint8_t> bytes) {
  Bytes out;
  append(out, {0xFF, 0xD8});
  if (structure.colours == JpegColours::rgb || structure.colours == JpegColours::cmyk) append_adobe(out, 0);
  if (structure.colours == JpegColours::ycck) append_adobe(out, 2);
  append_frame(out, structure);
  for (const JpegScan& scan : structure.scans) append_scan(out, scan, bytes);
  append(out, {0xFF, 0xD9});
  return out;
}

}  // namespace blindspot::images
