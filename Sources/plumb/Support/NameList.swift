import ArgumentParser

/// Names out of a fixed set, separated by commas.
enum NameList {
  /// The names, or all of them for `all`; throws `ValidationError` with what is known.
  static func parse<Name: CaseIterable & RawRepresentable & Equatable>(
    _ text: String, option: String
  ) throws -> [Name] where Name.RawValue == String {
    let known = Name.allCases.map(\.rawValue).joined(separator: ", ")
    if text == "all" { return Array(Name.allCases) }
    var names: [Name] = []
    for part in text.split(separator: ",", omittingEmptySubsequences: false) {
      let word = part.drop { $0 == " " }.prefix { $0 != " " }
      guard let name = Name(rawValue: String(word)) else {
        throw ValidationError("\(option): expected names of \(known), or all; found '\(part)'")
      }
      if !names.contains(name) { names.append(name) }
    }
    return names
  }
}
