import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

func user(_ text: String) -> Message { Message(role: "user", content: text) }
func assistant(_ text: String) -> Message { Message(role: "assistant", content: text) }

/// A fixture of this module.
func fixture(_ name: String) -> URL { Fixtures.url("data/\(name)") }

/// The data that ships with the project.
func exampleData(_ name: String) -> URL {
  Fixtures.root.deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "examples/data/\(name)")
}

/// An encoder over the golden tokenizer.
func makeEncoder(_ template: ChatTemplate = .chatML) throws -> ConversationEncoder {
  let tokenizer = try Tokenizer(
    contentsOf: Fixtures.url("golden/tokenizers/qwen2_style.json"))
  return try ConversationEncoder(tokenizer: tokenizer, template: template)
}

/// Runs `body` with a file of the given content.
func withFile<R>(
  _ content: String, named name: String = "rows.jsonl", _ body: (URL) throws -> R
) throws -> R {
  try withTemporaryDirectory { folder in
    let url = folder.appending(path: name)
    try Data(content.utf8).write(to: url)
    return try body(url)
  }
}

/// The error that `body` throws, which must be a `DataError`; nil with an issue otherwise.
func dataError(
  sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void
) -> DataError? {
  do {
    try body()
    Issue.record("expected an error, found none", sourceLocation: sourceLocation)
  } catch let error as DataError {
    return error
  } catch {
    Issue.record("expected a DataError, found \(error)", sourceLocation: sourceLocation)
  }
  return nil
}
