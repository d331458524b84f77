#include "lathe/text/chat/html.h"

#include "lathe/text/chat/builtins.h"

namespace lathe::chat {

Text escape_html(const Text& text) {
  static constexpr std::string_view kSpecial = "&<>'\"";
  static constexpr std::string_view kEntities[] = {"&amp;", "&lt;", "&gt;", "&#39;", "&#34;"};
  Text out;
  std::size_t done = 0;
  for (std::size_t at = 0; (at = text.view().find_first_of(kSpecial, at)) != std::string_view::npos;
       ++at) {
    out.append(text, done, at);
    out.append(kEntities[kSpecial.find(text.view()[at])], text.trust_at(at));
    done = at + 1;
  }
  out.append(text, done, text.size());
  return out;
}

Text as_markup(const Value& value) {
  return value.is_markup() ? value.text() : escape_html(text_of(value));
}

}  // namespace lathe::chat
