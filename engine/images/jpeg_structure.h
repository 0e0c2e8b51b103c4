// Parses and checks the markers of a JPEG file: tables, frame, scans and how they fit together. Knows no pixels and
// does not decode the entropy-coded data (jpeg_entropy.h does). Uses error.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace blindspot::images {

/// A Huffman table as its segment gives it: how many codes there are of 1 … 16 bits, and their symbols in code order.
struct JpegHuffmanTable {
  std::array<std::uint8_t, 16> counts{};
  std::array<std::uint8_t, 256> symbols{};
  int symbol_count = 0;  ///< 0: not defined
};

struct JpegComponent {
  int id = 0;
  int horizontal = 1, vertical = 1;  ///< sampling factors, 1 … 4
  int quantisation_slot = 0;
  std::array<std::uint16_t, 64> quantisation{};     ///< the table at the component's first scan, zigzag order
  std::int64_t blocks_across = 0, blocks_down = 0;  ///< 8×8 blocks when it stands alone in a scan
  /// For every coefficient, how many low bits are still missing after the scans so far; −1: nothing sent.
  std::array<std::int8_t, 64> missing_bits{};
};

struct JpegScanComponent {
  int component = 0;  ///< index into JpegStructure::components
  JpegHuffmanTable dc, ac;
};

struct JpegScan {
  std::vector<JpegScanComponent> components;
  int spectral_start = 0, spectral_end = 63;
  int approximation_high = 0, approximation_low = 0;
  int restart_interval = 0;                  ///< MCUs between restart markers; 0: none
  std::size_t data_begin = 0, data_end = 0;  ///< entropy-coded data within the file
};

/// What the three or four components mean, decided as libjpeg does (JFIF marker, Adobe marker, component ids).
enum class JpegColours : std::uint8_t { grey, ycbcr, rgb, cmyk, ycck };

struct JpegStructure {
  int width = 0, height = 0;
  bool progressive = false;
  JpegColours colours = JpegColours::grey;
  int largest_horizontal = 1, largest_vertical = 1;
  std::vector<JpegComponent> components;
  std::vector<JpegScan> scans;
};

bool has_jpeg_signature(std::span<const std::uint8_t> bytes);

/// Throws Error(input) naming `name` and the first fault: no or inconsistent tables, frame or scans, an end that is
/// missing, scans that leave coefficients unsent, and kinds of JPEG that are not read (12 bits, lossless, arithmetic).
JpegStructure parse_jpeg(std::span<const std::uint8_t> bytes, const std::string& name);

/// The same picture as a plain file of this structure: tables, frame, scans; no application data. Throws nothing.
std::vector<std::uint8_t> canonical_jpeg(const JpegStructure& structure, std::span<const std::uint8_t> bytes);

}  // namespace blindspot::images
