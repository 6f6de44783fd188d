#include <limits>
#include <nlohmann/json.hpp>

#include "base/enum_names.h"
#include "base/log.h"
#include "report/capacity/capacity_text.h"
#include "report/page/text_table.h"
#include "results/number_text.h"

namespace memlayers::report {
namespace {

using Json = nlohmann::ordered_json;
using Rows = std::vector<std::vector<std::string>>;

/// Nothing where there is nothing to divide by.
double quotient(double bits, int64_t count) {
  return count == 0 ? std::numeric_limits<double>::quiet_NaN() : bits / static_cast<double>(count);
}
results::Bits quotient(const results::Bits& bits, int64_t count) {
  return {quotient(bits.value, count), quotient(bits.low, count), quotient(bits.high, count)};
}

std::string with_interval(const results::Bits& bits, int decimals) {
  return results::decimal_text(bits.value, decimals) + " [" + results::decimal_text(bits.low, decimals) + ", " +
         results::decimal_text(bits.high, decimals) + "]";
}

std::string people_rows(const results::Capacity& capacity) {
  const int64_t people = capacity.people;
  const auto each = [&](const results::Bits& bits) { return with_interval(quotient(bits, people), 2); };
  const auto most = [&](double bits) { return results::decimal_text(quotient(bits, people), 2); };
  Rows rows = {{"bits a person", "out of", "at most", "stored", "extractable"},
               {"name", results::count_text(capacity.names), most(capacity.most_name_bits), each(capacity.name), ""}};
  for (const results::AttributeCapacity& attribute : capacity.attributes) {
    rows.push_back({results::relation_label(attribute.name), results::count_text(attribute.values),
                    most(attribute.most_bits), each(attribute.stored), each(attribute.extractable)});
  }
  rows.push_back({"all values", "", most(capacity.most_bits - capacity.most_name_bits), each(capacity.values_stored),
                  each(capacity.values_extractable)});
  rows.push_back({"name and values", "", most(capacity.most_bits), each(capacity.stored), ""});
  return aligned_rows(rows, "  ");
}

std::string size_rows(const results::Capacity& capacity) {
  const results::StoredSize& size = capacity.size;
  const auto row = [&](const std::string& what, int64_t count) {
    return std::vector<std::string>{what, results::count_text(count),
                                    with_interval(quotient(capacity.stored, count), 3)};
  };
  return aligned_rows({{"", "count", "stored bits for each"},
                       row("parameter", size.parameters),
                       row("parameter, no embeddings", size.non_embedding),
                       row("byte", size.bytes)},
                      "  ");
}

Json json_of(const results::Bits& bits) { return {{"bits", bits.value}, {"low", bits.low}, {"high", bits.high}}; }

/// NaN is no JSON number: null.
Json rate_json(const results::Bits& bits, int64_t count) {
  return count == 0 ? Json() : json_of(quotient(bits, count));
}

Json json_of(const results::AttributeCapacity& attribute) {
  return {{"name", attribute.name},
          {"values", attribute.values},
          {"trained_nats", attribute.trained_nats},
          {"held_out_nats", attribute.held_out_nats},
          {"stored", json_of(attribute.stored)},
          {"extractable", json_of(attribute.extractable)},
          {"most_bits", attribute.most_bits}};
}

}  // namespace

std::string capacity_text(const results::Capacity& capacity, const std::string& model) {
  const results::StoredSize& size = capacity.size;
  std::string text = model + "\n" + results::count_text(size.parameters) + " parameters, " +
                     results::count_text(size.table_parameters) + " of them in tables (" +
                     std::string(base::enum_name(capacity.table_format)) + ", others " +
                     std::string(base::enum_name(capacity.weight_format)) +
                     "): " + base::human_bytes(static_cast<double>(size.bytes)) + "\n" +
                     results::count_text(capacity.measured) + " of " + results::count_text(capacity.people) +
                     " people measured; 95 % intervals over people\n\n";
  text += people_rows(capacity) + "\n" + size_rows(capacity) + "\n";
  text += "A lower bound: " + results::metric_text(capacity.stored.value) + " bits stored of at most " +
          results::metric_text(capacity.most_bits) +
          " in the data (stored: trained wordings; extractable: wordings never read)\n";
  return text;
}

std::string capacity_json(const results::Capacity& capacity, const std::string& model) {
  const results::StoredSize& size = capacity.size;
  Json attributes = Json::array();
  for (const results::AttributeCapacity& attribute : capacity.attributes) attributes.push_back(json_of(attribute));
  const Json json = {{"model", model},
                     {"table_dtype", base::enum_name(capacity.table_format)},
                     {"weight_dtype", base::enum_name(capacity.weight_format)},
                     {"parameters", size.parameters},
                     {"non_embedding_parameters", size.non_embedding},
                     {"table_parameters", size.table_parameters},
                     {"bytes", size.bytes},
                     {"table_bytes", size.table_bytes},
                     {"people", capacity.people},
                     {"measured", capacity.measured},
                     {"names", capacity.names},
                     {"name",
                      {{"opening", capacity.name_opening},
                       {"nats", capacity.name_nats},
                       {"stored", json_of(capacity.name)},
                       {"most_bits", capacity.most_name_bits}}},
                     {"attributes", attributes},
                     {"values_stored", json_of(capacity.values_stored)},
                     {"values_extractable", json_of(capacity.values_extractable)},
                     {"stored", json_of(capacity.stored)},
                     {"most_bits", capacity.most_bits},
                     {"bits_per_parameter", rate_json(capacity.stored, size.parameters)},
                     {"bits_per_non_embedding_parameter", rate_json(capacity.stored, size.non_embedding)},
                     {"bits_per_byte", rate_json(capacity.stored, size.bytes)}};
  return json.dump();
}

}  // namespace memlayers::report
