/// One value of a recipe with the place it came from.
///
/// Scalars keep their text until a field's type says how to read it: YAML 1.1 would turn a plain
/// `off` into a boolean before anybody asked for one.
struct ConfigurationNode: Equatable, Sendable {
  enum Content: Equatable, Sendable {
    /// `quoted` scalars are text and nothing else.
    case scalar(String, quoted: Bool)
    case list([ConfigurationNode])
    /// `open` mappings take any key (a dictionary); others only those of the defaults.
    case mapping([Entry], open: Bool)
  }

  struct Entry: Equatable, Sendable {
    var key: String
    var value: ConfigurationNode
    /// Where the key stands.
    var place: Place
  }

  /// Where a value was written.
  enum Place: Equatable, Sendable {
    case line(Int)
    case override(String)
    case defaults
  }

  var content: Content
  var place: Place

  init(_ content: Content, at place: Place = .defaults) {
    self.content = content
    self.place = place
  }

  var entries: [Entry]? {
    if case .mapping(let entries, _) = content { entries } else { nil }
  }

  subscript(_ key: String) -> ConfigurationNode? {
    entries?.first { $0.key == key }?.value
  }

  /// Nothing was written after the colon.
  var isEmpty: Bool {
    content == .scalar("", quoted: false) || content == .scalar("~", quoted: false)
      || content == .scalar("null", quoted: false)
  }

  /// What a person would call this value, as the "found" of a message.
  var spoken: String {
    switch content {
    case _ where isEmpty: "nothing"
    case .scalar(let text, quoted: true): "the text '\(text)'"
    case .scalar(let text, quoted: false):
      Int(text) != nil
        ? "the integer \(text)"
        : Double(text) != nil
          ? "the number \(text)"
          : text == "true" || text == "false" ? "the boolean \(text)" : "the text '\(text)'"
    case .list(let items): "a list of \(items.count)"
    case .mapping: "a mapping"
    }
  }

  /// The node with `value` put at `key`, after the other entries where the key is new.
  mutating func set(_ key: String, to value: ConfigurationNode) {
    guard case .mapping(var entries, let open) = content else { return }
    if let index = entries.firstIndex(where: { $0.key == key }) {
      entries[index].value = value
      entries[index].place = value.place
    } else {
      entries.append(Entry(key: key, value: value, place: value.place))
    }
    content = .mapping(entries, open: open)
  }
}
