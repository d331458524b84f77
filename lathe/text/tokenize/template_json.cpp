#include "lathe/text/tokenize/template_json.h"

namespace lathe::tokenize {
namespace {

Json entry(const char* kind, const std::string& id, std::int64_t type) {
  return Json(Json::Object{{kind, Json(Json::Object{{"id", Json(id)}, {"type_id", Json(type)}})}});
}

}  // namespace

Json template_json(const std::optional<NamedId>& before, const std::optional<NamedId>& behind) {
  if (!before && !behind) return Json();
  Json::Array single, pair;
  Json::Object specials;
  const auto add = [&](const std::optional<NamedId>& token, std::int64_t type, Json::Array& out) {
    if (token) out.push_back(entry("SpecialToken", token->name, type));
  };
  const auto define = [&](const std::optional<NamedId>& token) {
    if (!token) return;
    for (const auto& [name, value] : specials)
      if (name == token->name) return;
    specials.emplace_back(
        token->name, Json(Json::Object{{"id", Json(token->name)},
                                       {"ids", Json(Json::Array{Json(std::int64_t{token->id})})},
                                       {"tokens", Json(Json::Array{Json(token->name)})}}));
  };
  define(before);
  define(behind);
  for (Json::Array* out : {&single, &pair}) {
    add(before, 0, *out);
    out->push_back(entry("Sequence", "A", 0));
    add(behind, 0, *out);
  }
  add(before, 1, pair);
  pair.push_back(entry("Sequence", "B", 1));
  add(behind, 1, pair);
  return Json(Json::Object{{"type", Json(std::string("TemplateProcessing"))},
                           {"single", Json(std::move(single))},
                           {"pair", Json(std::move(pair))},
                           {"special_tokens", Json(std::move(specials))}});
}

}  // namespace lathe::tokenize
