/// Why a measurement could not be made, as a sentence for a person.
struct BenchError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
