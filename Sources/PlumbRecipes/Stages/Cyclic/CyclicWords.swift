/// The words of one part of the benchmark; no topic, template, sentence or number is in two parts.
///
/// What defines a criterion (the dash, a digit, a courtesy word, the question mark, asterisks) is the
/// same in all parts, since a judge can only be learnt by what it looks at.
struct CyclicWords {
  let topics: [String]
  /// `@` stands for the topic.
  let prompts: [String]
  let statements: [String]
  let items: [String]
  /// `#` stands for the number.
  let numbered: [String]
  let numbers: [Int]
  /// Each holds one of `CyclicCriterion.courtesies`.
  let polite: [String]
  let questions: [String]

  static let parts = ["train", "validation", "test"]

  static func part(_ name: String) -> CyclicWords {
    switch name {
    case "train": train
    case "validation": validation
    default: test
    }
  }

  private static func words(_ text: String) -> [String] {
    text.split(separator: "|").map { $0.trimmingPrefix { $0.isWhitespace } }.map { part in
      String(part.reversed().drop { $0.isWhitespace }.reversed())
    }
  }

  static let train = CyclicWords(
    topics: words(
      """
      gardens|bicycles|bread|violins|tents|candles|maps|soup|chess|kites|rivers|carpets|cameras|
      onions|trains|mirrors|horses|poems|shelves|lamps|ponds|coats|knives|stamps|drums|tea|roofs|
      gloves|paint|bees|stairs|songs|wells|boats|ovens|hats|fences|seeds|clocks|letters|brooms|
      tiles|owls|pianos|jam|sleds|ropes|wax
      """),
    prompts: [
      "What should I know about @?", "Tell me something about @.", "How do people choose @?",
      "Give me advice on @.", "Why do some people like @?", "Explain @ to a friend.",
    ],
    statements: [
      "Most people start with @ by watching somebody else.",
      "A quiet place is enough for @.", "The cost of @ depends on where you live.",
      "Old books describe @ in detail.", "There is no single right way with @.",
      "It takes patience before @ feel easy.", "The weather matters more than many think.",
      "Good light helps a lot.", "Neighbours often share what they have learned.",
      "Cheap tools break early.", "The first attempt rarely works well.",
      "A short walk clears the mind.", "Local shops know the usual mistakes.",
      "You can begin on any free afternoon.",
    ],
    items: [
      "keep them dry", "ask a friend", "read the label", "start small", "clean them often",
      "buy used ones", "wait a day", "write it down", "measure twice", "store them flat",
    ],
    numbered: [
      "Plan for about # days.", "Most of them cost # dollars.", "I would take # of them.",
      "Expect # tries at first.", "They last for # years.",
    ],
    numbers: Array(stride(from: 12, to: 98, by: 5)),
    polite: [
      "Thank you for asking.", "I am glad you brought this up.", "Please take your time.",
      "You are welcome to try.", "Kindly note the details.",
    ],
    questions: [
      "Which part interests you?", "Have you tried it before?", "What is your budget?",
      "Do you live near a town?", "Would you like an example?",
    ])

  static let validation = CyclicWords(
    topics: words(
      "lanterns|wagons|cheese|flutes|dunes|blankets|ladders|parrots|barrels|pencils|towers|figs"),
    prompts: [
      "What makes @ special?", "Describe @ briefly.", "Is it hard to learn about @?",
      "What do beginners get wrong about @?", "Share a thought on @.",
    ],
    statements: [
      "Many families have a story about @.", "A teacher can show the basics of @.",
      "Rain is the usual problem.", "People forget how simple it can be.",
      "Some towns hold a fair for @ every autumn.", "Practice beats theory here.",
    ],
    items: ["check the edges", "use less force", "borrow first", "label everything"],
    numbered: ["Give it # minutes.", "Around # is a fair price.", "Count on # small steps."],
    numbers: [14, 23, 36, 41, 58, 69, 73, 84],
    polite: [
      "Thank you, that is a fine topic.", "Please ask again any time.",
      "I would be glad to go on.",
    ],
    questions: ["Where would you begin?", "Is this for a child?", "Does that sound right?"])

  static let test = CyclicWords(
    topics: words(
      """
      pumpkins|canoes|scarves|telescopes|orchards|harps|bridges|spices|tunnels|puzzles|sails|
      feathers|cellars|magnets|quilts|goats|fountains|pearls|compasses|noodles|windmills|ribbons|
      beetles|saddles|chimneys|melons|anchors|umbrellas|masks|hedges|trumpets|buckets|glaciers|
      plums|needles|curtains|foxes|marbles|pottery|barns|skates|vines|whistles|castles|ferns|
      baskets|hammocks|clay
      """),
    prompts: [
      "I have a question about @.", "Can you say a few words on @?",
      "My sister wants to hear about @.", "What is worth remembering about @?",
      "Help me understand @.", "Where does one begin with @?",
    ],
    statements: [
      "Experts disagree about @ to this day.", "Children pick up @ faster than adults.",
      "Not every season suits @.", "The oldest @ are found far from here.",
      "A careful look at @ reveals small flaws.", "Friends may lend you what is missing.",
      "Dust is the worst enemy.", "Nothing replaces a steady hand.",
      "Museums keep the finest pieces.", "Simple methods survive for good reasons.",
      "Cold mornings slow everything down.", "The results speak for themselves.",
    ],
    items: [
      "look for cracks", "mind the wind", "begin early", "avoid strong heat", "carry spare parts",
      "listen closely", "trust your nose", "rest between rounds",
    ],
    numbered: [
      "Roughly # people do this in our village.", "Set aside # hours.",
      "Page # of the guide covers it.", "You will need # grams.",
    ],
    numbers: Array(stride(from: 15, to: 98, by: 5)),
    polite: [
      "Many thanks go to you, and thank your sister as well.", "How glad I am to be asked.",
      "If it suits you, please read on.", "You are always welcome here.",
    ],
    questions: [
      "Shall I go on?", "Are you in a hurry?", "Who told you about this?",
      "Could that be of use?",
    ])
}
