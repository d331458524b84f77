// Escapes of HTML: chat templates do not ask for them, but the filter safe brings them in.
#pragma once

#include "lathe/text/chat/text.h"
#include "lathe/text/chat/value.h"

namespace lathe::chat {

/// & < > ' " as entities, in the trust of the character.
Text escape_html(const Text& text);

/// The text of str(value), escaped unless the value is markup.
Text as_markup(const Value& value);

}  // namespace lathe::chat
