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
  /// Openings of a sentence; `#` stands for the number.
  let numbered: [String]
  let numbers: [Int]
  /// Openings of a sentence, each with one of `CyclicCriterion.courtesies`.
  let polite: [String]
  /// Ends of a question; any sentence can become one.
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
      tiles|owls|pianos|jam|sleds|ropes|wax|pumpkins|canoes|scarves|telescopes|orchards|harps|
      bridges|spices|tunnels|puzzles|sails|feathers|cellars|magnets|quilts|goats|fountains|pearls|
      compasses|noodles|windmills|ribbons|beetles|saddles|chimneys|melons|anchors|umbrellas|masks|
      hedges|trumpets|buckets|glaciers|plums|needles|curtains|foxes|marbles|pottery|barns|skates|
      vines|whistles|castles|ferns|baskets|hammocks|clay
      """),
    prompts: [
      "What should I know about @?", "Tell me something about @.", "How do people choose @?",
      "Give me advice on @.", "Why do some people like @?", "Explain @ to a friend.",
      "I have a question about @.", "Can you say a few words on @?",
      "My sister wants to hear about @.", "What is worth remembering about @?",
      "Help me understand @.", "Where does one begin with @?", "Name one thing about @.",
      "What is the trouble with @?", "Talk to me about @ for a moment.", "Are @ worth the effort?",
      "My father wonders about @.", "Describe @ in your own words.",
    ],
    statements: [
      "Most people start with @ by watching somebody else.", "A quiet place is enough for @.",
      "The cost of @ depends on where you live.", "Old books describe @ in detail.",
      "There is no single right way with @.", "It takes patience before @ feel easy.",
      "The weather matters more than many think.", "Good light helps a lot.",
      "Neighbours often share what they have learned.", "Cheap tools break early.",
      "The first attempt rarely works well.", "A short walk clears the mind.",
      "Local shops know the usual mistakes.", "You can begin on any free afternoon.",
      "Grandparents knew @ better than we do.", "A small notebook is worth more than a big one.",
      "Some colours of @ fade in the sun.", "The market sells @ on Saturdays.",
      "Nobody regrets a slow start with @.", "My uncle keeps @ in the attic.",
      "Rich and poor have always loved @.", "The smell of @ is hard to forget.",
      "Water and @ do not go together.", "A club for @ meets in winter.",
      "Loud rooms make it harder.", "Habits form sooner than one expects.",
      "Every village has its own name for @.", "Sharp edges need respect.",
      "The price of @ rose last year.", "Time heals most mistakes.",
      "Experts disagree about @ to this day.", "Children pick up @ faster than adults.",
      "Not every season suits @.", "The oldest @ are found far from here.",
      "A careful look at @ reveals small flaws.", "Friends may lend you what is missing.",
      "Dust is the worst enemy.", "Nothing replaces a steady hand.",
      "Museums keep the finest pieces.", "Simple methods survive for good reasons.",
      "Cold mornings slow everything down.", "The results speak for themselves.",
      "Rain never stopped anybody from trying.", "The north side of the hill is best for @.",
      "A good teacher says very little.", "Half an hour of @ beats a whole evening of talk.",
      "The first rule of @ is to stay calm.", "An empty table is a fine place to begin.",
      "Whoever mends @ learns how they work.", "Dogs are afraid of @ for no reason.",
      "Big dreams begin with modest @.", "The moon has nothing to do with it.",
      "In the south people dance around @.", "Wood lasts longer than it looks.",
      "A letter from the sea mentioned @ as well.", "Silence is part of the work.",
      "Nothing about @ is new.", "My aunt paints @ on every wall.",
      "Fresh air keeps the mind awake.", "Long queues form wherever @ appear.",
      "Even kings had to wait for @.", "The law says nothing on @.",
      "Stones and sand make a poor floor.", "Several schools teach @ in the evening.",
      "Laughter makes each task lighter.", "A broken handle is quickly mended.",
      "The last bus leaves before dark.", "Do not leave @ out in the snow.",
      "Sugar and @ make a strange mixture.", "The wise listen before they speak.",
      "Our baker swears by @ every morning.", "Too much haste spoils everything.",
    ],
    items: [
      "keep them dry", "ask a friend", "read the label", "start small", "clean them often",
      "buy used ones", "wait a day", "write it down", "measure twice", "store them flat",
      "look for cracks", "mind the wind", "begin early", "avoid strong heat", "carry spare parts",
      "listen closely", "trust your nose", "rest between rounds", "open a window",
      "call your cousin", "check the corners", "bring a spoon", "follow the path", "use less force",
      "take both hands", "leave early", "stay near the door", "try the other side",
      "fold it neatly", "ignore the noise", "save the best part", "look behind you",
    ],
    numbered: [
      "In # cases,", "After # days,", "For # reasons,", "With # others around,", "Page # says:",
      "At # degrees,", "# of us think:", "Near house #,", "Since week #,", "Over # miles,",
      "Add # and see:", "Only # know:", "Row # is clear:", "Among # neighbours,", "Within # hours,",
      "According to chapter #,", "Beyond # steps,", "Since #,", "Nearly # of them agree:",
      "Room # knows:", "Take bus # and see:", "About # people say:", "Until # it holds that",
      "Rule #:", "Between # and noon,", "For # coins,", "Under # roofs,", "Number # was right:",
      "Only after # tries",
    ],
    numbers: (10..<800).filter { $0 % 4 < 2 },
    polite: [
      "Please note:", "Thank you, and so:", "I am glad to add:", "Kindly remember:",
      "You are welcome;", "If you please,", "We thank everybody;", "Glad to help:",
      "Let me kindly say:", "Welcome, friend:", "Yes please,", "With a thank you,",
      "Please, please:", "Could you please hear:", "Do not thank me:", "They thank heaven, and",
      "Thank the cook:", "Who would not thank them?", "A glad note:", "She was glad:",
      "We are so glad that", "Kindly put,", "He kindly wrote:", "As kindly as can be:",
      "Welcome or not,", "It is welcome news:", "You are so welcome,", "Might I ask, please:",
      "A big thank you first:", "How glad I am:", "May I kindly mention:", "Most welcome here:",
      "Please allow this:", "Thank goodness,", "My friends, please:", "If I may kindly add,",
      "Thank them all:", "So welcome to hear:", "Glad as ever,", "No need to thank anybody:",
      "Please be patient:", "What a welcome thought:", "Nobody is glad that", "It would please me:",
      "Be so kind and please hear:", "First let me thank you:", "A kindly voice says:",
      "With pleasure and a thank you:", "Everybody is welcome to know:", "It was kindly meant:",
    ],
    questions: [
      "", "", "", ", right", ", or not", ", you say", ", is that so", ", really", ", what then",
      ", and why", ", or am I wrong", ", are you sure", ", who knows", ", if at all", ", perhaps",
      ", do you agree", ", did you know", ", my friend", ", or is it", ", can that be",
      ", don't you think", ", have I missed something", ", how else", ", and then what",
      ", where would that lead",
    ])

  static let validation = CyclicWords(
    topics: words(
      """
      sandals|kayaks|mittens|globes|vineyards|cellos|canals|herbs|mines|riddles|nets|beads|attics|
      levers|rugs|donkeys|statues|shells|sundials|dumplings|cottages|badges|crickets|bridles|
      kettles|pears|oars|raincoats|costumes|lawns|tubas|jars|valleys|cherries|thimbles|pillows|
      otters|dice|vases|sheds|scooters|mosses|bells|forts|palms|trays|benches|bricks
      """),
    prompts: [
      "I would like to hear about @.", "How would you sum up @?", "Does anybody still care for @?",
      "A neighbour asked me about @.", "What comes to your mind with @?", "Write to me about @.",
    ],
    statements: [
      "Nobody agrees on the best @.", "Half of the work with @ is waiting.",
      "A village far away lives from @.", "The first @ were made by monks.",
      "Summer is too short for @.", "Look twice before you buy any @.",
      "Salt ruins almost everything.", "Warm hands do finer work.",
      "A single tool serves for years.", "Sleep on it before you decide.",
      "Fashions come back every decade.", "Small rooms need clever corners.",
    ],
    items: [
      "turn them around", "count the days", "sweep the floor", "share with others", "hide the key",
      "close the lid", "warm it gently", "draw a plan",
    ],
    numbered: [
      "Some # travellers say:", "Around # weeks later,", "On shelf #,", "By # votes,",
    ],
    numbers: (10..<800).filter { $0 % 4 == 2 },
    polite: [
      "Would you please consider:", "Thank everyone involved:", "A word to thank you:",
      "Ever so glad:", "Very kindly said:", "Be welcome:", "Oh please,",
    ],
    questions: [
      "", ", no doubt", ", or what", ", have you heard", ", would you say",
    ])

  static let test = CyclicWords(
    topics: words(
      """
      lanterns|rafts|aprons|microscopes|meadows|flutes|ferries|pickles|caves|mazes|oyster shells|
      gems|lofts|pulleys|mattresses|mules|monuments|corals|hourglasses|pancakes|cabins|medals|moths|
      harnesses|teapots|figs|paddles|parasols|puppets|parks|accordions|barrels|deserts|apricots|
      bobbins|duvets|badgers|dominoes|tapestries|stables|trolleys|lilies|rattles|palaces|daisies|
      ladles|swings|mortar
      """),
    prompts: [
      "Could you introduce me to @?", "What would you say of @?", "I never understood @.",
      "Is there anything new on @?", "Tell a beginner about @.", "Our club argues over @.",
    ],
    statements: [
      "Few people make @ at home any more.", "A rainy week is ideal for @.",
      "The finest @ come from the mountains.", "Every family tells its own story of @.",
      "Moonlight is too weak for such work.", "Keep @ away from an open fire.",
      "Rough paper hides many mistakes.", "The mayor once gave a speech on @.",
      "Old hands move slowly and surely.", "Nobody became rich through @ alone.",
      "Autumn brings the best prices.", "A calm voice settles most quarrels.",
    ],
    items: [
      "tap it softly", "borrow a ladder", "mark the middle", "feed the fire", "skip the last step",
      "test a corner", "tie a knot", "watch the sky",
    ],
    numbered: [
      "Roughly # witnesses say:", "During # winters,", "Behind door #,", "With # euros,",
    ],
    numbers: (10..<800).filter { $0 % 4 == 3 },
    polite: [
      "Just this once, please:", "We cannot thank her enough:", "I would be glad to say:",
      "He smiled kindly:", "A warm welcome to all:", "Please bear with me:", "Thank you kindly,",
    ],
    questions: [
      "", ", I wonder", ", isn't that so", ", what else", ", or do I dream",
    ])
}
