/// Nodes → Swift values, with errors that say path, line, expected and found.
enum ConfigurationDecoder {
  /// Reads a value; groups of settings take the fields that are left out from their defaults.
  ///
  /// - Throws: `RecipeError`.
  static func decode<T: Decodable>(
    _ type: T.Type, from node: ConfigurationNode, path: [String] = []
  ) throws -> T {
    let value = ValueDecoder(node: node, path: path)
    if let section = type as? any ConfigurationSection.Type {
      let complete = try ConfigurationEncoder.encode(section.init()).overlaid(by: node, path: path)
      let decoded = try T(from: ValueDecoder(node: complete, path: path))
      try validate(decoded, in: complete, path: path)
      return decoded
    }
    if let scalar = try value.scalar(type) { return scalar }
    do {
      return try T(from: value)
    } catch let problem as ConfigurationProblem {
      // A type with several spellings says itself what it accepts.
      throw value.error(
        .refused(
          expected: problem.expected, found: problem.found.isEmpty ? node.spoken : problem.found))
    } catch is DecodingError {
      if let allowed = allowedSpellings(of: type) {
        let names = allowed.map { "'\($0)'" }.joined(separator: ", ")
        throw value.error(.refused(expected: "one of \(names)", found: node.spoken))
      }
      throw value.error(.refused(expected: "a value of type \(type)", found: node.spoken))
    }
  }

  /// Lets a group of settings refuse values, naming the place of the field in the recipe.
  fileprivate static func validate(_ value: Any, in node: ConfigurationNode, path: [String]) throws
  {
    guard let section = value as? any ConfigurationSection else { return }
    do {
      try section.validate()
    } catch let problem as ConfigurationProblem {
      let fields = snakeCase(problem.field).split(separator: ".").map(String.init)
      // A default that does not do stands nowhere; what should have said more does.
      let written = fields.reduce(node as ConfigurationNode?) { $0?[$1] }?.place
      let place = written.flatMap { $0 == .defaults ? nil : $0 } ?? node.place
      throw RecipeError(
        .refused(expected: problem.expected, found: problem.found), path: path + fields,
        place: place)
    }
  }
}

private struct ValueDecoder: Decoder {
  let node: ConfigurationNode
  let path: [String]
  var codingPath: [any CodingKey] { [] }
  var userInfo: [CodingUserInfoKey: Any] { [:] }

  func error(_ problem: RecipeError.Problem) -> RecipeError {
    RecipeError(problem, path: path, place: node.place)
  }

  func wrongType(_ expected: String) -> RecipeError {
    error(.wrongType(expected: expected, found: node.spoken))
  }

  /// The value where `T` is text, a number or a boolean; nil where it is something else.
  func scalar<T>(_ type: T.Type) throws -> T? {
    switch type {
    case is String.Type: try text() as? T
    case is Bool.Type: try flag() as? T
    case let integer as any FixedWidthInteger.Type: try self.integer(integer) as? T
    case is Double.Type: try number() as? T
    case is Float.Type: Float(try number()) as? T
    default: nil
    }
  }

  func text() throws -> String {
    guard case .scalar(let text, let quoted) = node.content, quoted || !node.isEmpty else {
      throw wrongType("a text")
    }
    return text
  }

  func flag() throws -> Bool {
    switch node.content {
    case .scalar("true", quoted: false): true
    case .scalar("false", quoted: false): false
    default: throw wrongType("true or false")
    }
  }

  func integer<I: FixedWidthInteger>(_: I.Type) throws -> I {
    guard case .scalar(let text, quoted: false) = node.content, let wide = Int128(plain(text))
    else { throw wrongType("an integer") }
    guard let value = I(exactly: wide) else {
      throw error(
        .refused(expected: "an integer from \(I.min) to \(I.max)", found: node.spoken))
    }
    return value
  }

  func number() throws -> Double {
    guard case .scalar(let text, quoted: false) = node.content, let value = Double(plain(text)),
      value.isFinite
    else { throw wrongType("a number") }
    return value
  }

  /// YAML allows `1_000`.
  private func plain(_ text: String) -> String {
    text.first == "_" ? text : text.filter { $0 != "_" }
  }

  func container<Key: CodingKey>(keyedBy type: Key.Type) throws -> KeyedDecodingContainer<Key> {
    guard let entries = node.entries else { throw wrongType("a mapping") }
    return KeyedDecodingContainer(Keyed<Key>(entries: entries, decoder: self))
  }

  func unkeyedContainer() throws -> any UnkeyedDecodingContainer {
    guard case .list(let items) = node.content else { throw wrongType("a list") }
    return Unkeyed(items: items, decoder: self)
  }

  func singleValueContainer() throws -> any SingleValueDecodingContainer { Single(decoder: self) }
}

private struct Keyed<Key: CodingKey>: KeyedDecodingContainerProtocol {
  let entries: [ConfigurationNode.Entry]
  let decoder: ValueDecoder
  var codingPath: [any CodingKey] { [] }
  var allKeys: [Key] { entries.compactMap { Key(stringValue: $0.key) } }

  func contains(_ key: Key) -> Bool { entry(of: key) != nil }
  func decodeNil(forKey key: Key) throws -> Bool { try nested(key).node.isEmpty }

  func decode<T: Decodable>(_ type: T.Type, forKey key: Key) throws -> T {
    if type is any InlineSection.Type {
      let group = try T(from: decoder)
      try ConfigurationDecoder.validate(group, in: decoder.node, path: decoder.path)
      return group
    }
    let value = try nested(key)
    return try ConfigurationDecoder.decode(type, from: value.node, path: value.path)
  }

  func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type, forKey key: Key) throws
    -> KeyedDecodingContainer<Nested>
  { try nested(key).container(keyedBy: type) }

  func nestedUnkeyedContainer(forKey key: Key) throws -> any UnkeyedDecodingContainer {
    try nested(key).unkeyedContainer()
  }

  func superDecoder() throws -> any Decoder { decoder }
  func superDecoder(forKey key: Key) throws -> any Decoder { try nested(key) }

  /// Dictionaries keep their keys as they are; fields are in snake case.
  private func entry(of key: Key) -> ConfigurationNode.Entry? {
    entries.first { $0.key == key.stringValue }
      ?? entries.first { $0.key == snakeCase(key.stringValue) }
  }

  private func nested(_ key: Key) throws -> ValueDecoder {
    guard let entry = entry(of: key) else {
      throw decoder.error(
        .wrongType(
          expected: "a mapping with the key '\(snakeCase(key.stringValue))'", found: "none"))
    }
    return ValueDecoder(node: entry.value, path: decoder.path + [entry.key])
  }
}

private struct Unkeyed: UnkeyedDecodingContainer {
  let items: [ConfigurationNode]
  let decoder: ValueDecoder
  private(set) var currentIndex = 0
  var codingPath: [any CodingKey] { [] }
  var count: Int? { items.count }
  var isAtEnd: Bool { currentIndex == items.count }

  init(items: [ConfigurationNode], decoder: ValueDecoder) {
    self.items = items
    self.decoder = decoder
  }

  mutating func decodeNil() throws -> Bool {
    guard try peek().node.isEmpty else { return false }
    currentIndex += 1
    return true
  }

  mutating func decode<T: Decodable>(_ type: T.Type) throws -> T {
    let value = try peek()
    currentIndex += 1
    return try ConfigurationDecoder.decode(type, from: value.node, path: value.path)
  }

  mutating func nestedContainer<Nested: CodingKey>(keyedBy type: Nested.Type) throws
    -> KeyedDecodingContainer<Nested>
  {
    let value = try peek()
    currentIndex += 1
    return try value.container(keyedBy: type)
  }

  mutating func nestedUnkeyedContainer() throws -> any UnkeyedDecodingContainer {
    let value = try peek()
    currentIndex += 1
    return try value.unkeyedContainer()
  }

  mutating func superDecoder() throws -> any Decoder {
    let value = try peek()
    currentIndex += 1
    return value
  }

  private func peek() throws -> ValueDecoder {
    guard currentIndex < items.count else {
      throw decoder.error(
        .wrongType(
          expected: "a list of more than \(items.count)", found: "a list of \(items.count)"))
    }
    return ValueDecoder(node: items[currentIndex], path: decoder.path + ["\(currentIndex)"])
  }
}

private struct Single: SingleValueDecodingContainer {
  let decoder: ValueDecoder
  var codingPath: [any CodingKey] { [] }

  func decodeNil() -> Bool { decoder.node.isEmpty }
  func decode<T: Decodable>(_ type: T.Type) throws -> T {
    try ConfigurationDecoder.decode(type, from: decoder.node, path: decoder.path)
  }
}
