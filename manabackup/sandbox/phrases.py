"""The sentences, names and fragments that :mod:`manabackup.sandbox.prose` draws from. All of it is invented.

``{…}`` are slots that are filled with other words.
"""

from __future__ import annotations

from typing import Final

Texts = tuple[str, ...]

# fmt: off
FIRST_NAMES: Final[Texts] = (
    "Jörg", "Käthe", "Anaïs", "Søren", "Zoë", "Łukasz", "Mehmet", "Oğuz", "Renée", "Björn", "Sinéad", "Yuki", "Jürgen",
    "Bärbel", "Mia", "Noah", "Lena", "Emil", "Ida", "Paul", "Frida", "Theo", "Grete", "Anton", "Aisha", "Tomáš",
    "Małgorzata", "Dmitri", "Priya", "Sean", "Olivia", "Grace", "Harry", "Mum", "Papa", "Oma Trude", "Tante Ilse",
    "Opa Heinz", "Nuria", "Çağla", "张伟",
)
LAST_NAMES: Final[Texts] = (
    "Müller", "Größner", "Weiß", "Schröder-Böhm", "O’Brien", "von der Heide", "Łukaszewicz", "Yılmaz", "Nguyễn",
    "Kowalski", "Bach", "Öztürk", "Fröhlich", "Huber", "Brändle", "Zgraggen", "Smith", "Hughes", "Østergård", "Dvořák",
    "Lindqvist", "García Márquez", "D'Angelo", "Kühn", "Jäger", "Süß", "Meier", "Mayer", "Maier", "Pöhlmann",
    "Åkesson", "Ivanov", "Nakamura",
)
CITIES: Final[Texts] = (
    "Zürich", "Köln", "Leipzig", "Graz", "Łódź", "Kraków", "Göteborg", "Saarbrücken", "Bern", "Lübeck", "Bristol",
    "Dublin", "Aix-en-Provence", "Málaga", "Chur", "Görlitz", "München", "St. Gallen", "Rüdesheim", "Ærøskøbing",
    "İzmir", "Berlin",
)
STREETS: Final[Texts] = (
    "Lindenstraße", "Am Mühlbach", "Schützengasse", "Hinterm Dom", "Rue de l’Église", "Baker Street", "Große Freiheit",
    "Seeweg", "Straße des 17. Juni", "Kirchplatz", "Via Nassa", "Unter den Eichen", "Hölderlinweg", "ul. Długa",
    "Quai du Mont-Blanc",
)
FOOD: Final[Texts] = (
    "Linsensuppe", "Käsespätzle", "Dal mit Reis", "Pfannkuchen", "Crème brûlée", "Gurkensalat", "Kürbisrisotto",
    "Brot mit Butter", "Pierogi", "Apfelkuchen", "Miso-Suppe", "Bärlauchpesto", "Rösti", "fish & chips", "toast",
    "leftover curry", "Jalapeño-Quesadillas",
)
ANIMALS: Final[Texts] = (
    "Katze", "Krähe", "Igel", "Dackel", "Schnecke", "Eule", "Fuchs", "Möwe", "Zaunkönig", "Hummel", "Pferd", "Wal",
)
WEEKDAYS: Final[Texts] = (
    "Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag",
)
THINGS: Final[Texts] = (
    "Regenschirm", "Fahrradschloss", "Bohrmaschine", "Heizungsventil", "Kaffeemühle", "Steuerbescheid", "Wörterbuch",
    "Thermoskanne", "USB-C-Kabel", "Zahnbürste", "Stimmgerät", "Reisepass", "Nähmaschine", "Wärmflasche",
    "Vorhangstange", "Gießkanne",
)
WORK: Final[Texts] = (
    "Quartalsbericht", "Migration", "Angebot für Größner & Söhne", "Relaunch", "Abrechnung", "Protokoll",
    "Präsentation", "Code-Review", "Onboarding", "Pressetext", "Budgetplanung", "Förderantrag", "Inventur",
    "Newsletter", "Release 2.4", "retro",
)
SPORTS: Final[Texts] = (
    "Laufen", "Klettern", "Schwimmen", "Yoga", "Bouldern", "Velofahren", "Rudern", "Pilates", "Tischtennis", "Aikidō",
)
BOOKS: Final[Texts] = (
    "„Die Wand“", "»Momo«", "“Middlemarch”", "„Der Zauberberg“ (schon wieder)", "«Homo faber»", "Der kleine Prinz",
    "Beloved", "„Herkunft“", "The Left Hand of Darkness", "„Tschick“", "Pippi Langstrumpf", "100 Jahre Einsamkeit",
)
EMOJI: Final[Texts] = (
    "🙂", "😅", "👩‍👧‍👦", "🇨🇭", "🏳️‍🌈", "❤️", "👍🏽", "☕️", "🌧️", "🥐",
    "🧗‍♀️", "✨", "😴", "🫠", "🎉🎉", "✅", "1️⃣", "🕯️", "🐈‍⬛",
    "¯\\_(ツ)_/¯", "ಠ_ಠ", ":-)", "<3",
)

DIARY_DE: Final[Texts] = (
    "Heute früh um {time} aufgewacht, draußen noch alles grau.", "Der Kaffee war kalt, bevor ich ihn getrunken hatte.",
    "{first} hat angerufen, einfach so.",
    "Wir haben über eine Stunde geredet, vor allem über {city} und darüber, ob wir hinziehen.",
    "Ich hätte nicht gedacht, dass mich das so beschäftigt.",
    "Auf dem Heimweg hat es geregnet, und natürlich lag der {thing} im Büro.",
    "Zum Abendessen gab es {food}, die Hälfte ist angebrannt.", "Müde. Aber gut müde.",
    "Im Tram saß eine Frau mit einer {animal} auf dem Schoß, niemand hat etwas gesagt.",
    "„Das wird schon“, sagte {first}, und ich habe es fast geglaubt.",
    "Seit {n} Tagen kein Zucker mehr. Heute dann doch.",
    "Ich schreibe das im Zug zwischen {city} und {city}, das WLAN geht nicht.", "Die {work} ist endlich fertig!!",
    "Chef meinte »passt so«, was bei ihm höchstes Lob ist.",
    "Habe {first} gesagt, dass ich mehr Zeit brauche; die Antwort war ein Schulterzucken.",
    "Gelesen: {book}. Nach {n} Seiten eingeschlafen.",
    "Die Nachbarn streiten wieder, durch die Wand hört man jedes Wort.",
    "Am See gesessen, Füße im Wasser, nichts gemacht.", "Mama geht es besser, die Ärztin ist zufrieden.",
    "Ich frage mich, warum ich immer ja sage.", "Nächste Woche wird alles anders (haha).",
    "Beim {sport} das Knie verdreht, jetzt liege ich mit Eis auf dem Sofa.",
    "Es ist schon komisch: Vor einem Jahr wollte ich hier unbedingt weg.",
    "{first} hat Geburtstag und wird {n}, ich habe es wieder vergessen.",
    "Der Himmel um {time}: rosa, orange, violett – wie auf einer schlechten Postkarte.",
    "Die Wohnung riecht nach {food} und nassem Hund.", "Drei Dinge, die gut waren: Schlaf, Sonne, Stille.",
    "Ich glaube, ich habe mich zum ersten Mal seit Langem nicht verstellt.",
    "Oma hat erzählt, wie sie 1952 mit dem Fahrrad nach {city} gefahren ist.", "Zahnarzt: ein Loch, {money} €.",
    "Heute nichts Besonderes, und genau das war schön.", "Wieder der Streit ums Geld, wieder ohne Ergebnis.",
    "Ich hab ihr nicht geantwortet, vielleicht morgen.",
    "Übrigens: Der {thing} ist wieder aufgetaucht, er lag im Kühlschrank.",
    "Nachts um drei wach gelegen und Listen gemacht.", "{first} & {first} heiraten im Juni, in {city}.",
    "Langer Spaziergang, {n} km, eine {animal} gesehen.",
    "Was bleibt vom Tag? Ein Satz von {first}: »Du musst nicht alles tragen.«",
    "Das Gespräch mit Frau {last} lief besser als befürchtet.", "Kopfweh, wahrscheinlich das Wetter.",
    "Am {weekday} fange ich wieder mit {sport} an. Wirklich.",
    "Die Kinder haben im Wohnzimmer eine Höhle gebaut und wollten dort schlafen – durften sie.",
    "Ein Brief vom Amt; nach dem Öffnen erst mal Tee gemacht.", "Ich vermisse ihn. So, jetzt steht es da.",
    "Konzert in {city}: zu laut, zu voll, wunderbar.", "Der Balkon blüht, die Tomaten sind schon {n} cm hoch.",
    "Bin heute freundlich gewesen, auch zu mir.",
    "Rückenschmerzen seit {weekday}, der neue Stuhl hilft kein bisschen.",
    "Habe den ganzen Abend alte Fotos sortiert & geweint & gelacht.", "Es hat geschneit!!! Mitte April …",
    "Die Therapeutin fragte, was ich damit meine – ich wusste es nicht.",
    "Größter Fehler heute: die Mail an {first} {last} noch um 23:58 abzuschicken.",
    "Beim Bäcker {n} Leute vor mir, alle wollten „nur schnell“ etwas.", "Für morgen: weniger Handy, mehr {sport}.",
    "Süße kleine Szene im Bus: ein Kind erklärt seinem Opa, was ein Podcast ist.", "Ich bin stolz auf uns.",
    "Alles tut weh und ich grinse wie blöd.", "Neuer Versuch mit {food}: diesmal essbar.",
    "Das Fenster klemmt, der Vermieter meldet sich nicht, {n}. Mahnung.",
    "Ach ja, die {work}: verschoben auf {weekday}.",
)
DIARY_EN: Final[Texts] = (
    "Woke up at {time}, couldn't get back to sleep.", "Rain all day, which suits me.",
    "Had coffee with {first}; we talked about everything except the thing.",
    "I keep telling myself it's only a phase.", "Walked {n} km along the canal and saw a heron.",
    "The flat is finally quiet.", '"You look tired," said {first}. Thanks, I guess.',
    "Made {food} for dinner, burnt the first batch, ate it anyway.",
    "Work was fine – the {work} shipped, nobody noticed.",
    "Three good things: the light at {time}, a letter from {city}, clean sheets.",
    "I don't think I was fair to {first} yesterday.", "Ran 5k in twenty-nine minutes, personal best!",
    "Reading {book} again, it's a different book this time.", "Dentist: £{money}. Ouch.",
    "Mum called, she's worried about Dad, I'm worried about Mum.",
    "Couldn't face the gym, took a nap instead, no regrets.",
    "It's odd how a smell can take you back – wet wool, {city}, 2009.",
    "Note to self: stop saying yes before thinking.",
    "The cat brought in a mouse (alive) and then lost interest in it.",
    "Missed the train by ten seconds, got a seat on the next one.", "Therapy. Didn't cry this time.",
    "Everybody seems to be getting married, or divorced.", "I owe {first} {money} and an apology.",
    "Sunday. Pancakes, papers, no plans.", "We laughed until the waiter asked if we were alright.",
    "Slept badly; dreamt of exams & elevators.", "Tried to meditate for {n} minutes, managed four.",
    "Said no. It felt terrible and then it felt great.",
    'Somebody left a piano on the pavement with a sign: "please".', "Should probably see a doctor about the knee.",
    "Grateful for: hot water, {first}, the fact that it's nearly spring.",
    "Spent the evening fixing the {thing}; it's now broken in a new way.",
    "The kids asked what happens when you die – at breakfast!",
    "Long call w/ {first} {last}, we'll do it, we'll actually do it.",
    "Nothing happened today and I want to remember it.",
)
OPENINGS: Final[Texts] = (
    "Liebes Tagebuch,", "{weekday}, spät.", "Kurz vor dem Einschlafen:", "Morgenseiten, Tag {n}", "## {weekday}",
    "Dear diary …", "{city}, Hotel, Zimmer {n}", "Stimmung: {n}/30 {emoji}", "(Nachtrag von gestern)",
    "*diktiert beim Gehen*", "{emoji}",
)
GRATITUDE: Final[Texts] = (
    "{food} bei {first}", "die {animal} im Garten", "kein Stau", "dass {first} angerufen hat", "die ersten Schwalben",
    "a good night’s sleep", "der Geruch nach Regen", "{n} Minuten nur für mich", "Musik im Treppenhaus", "that joke",
    "warme Füße", "ein ehrliches Gespräch",
)

TASKS: Final[Texts] = (
    "Steuerunterlagen sortieren", "{first} zurückrufen", "{thing} reparieren lassen", "Milch, Brot, Käse kaufen",
    "Rechnung an {last} schicken", "Zahnarzttermin ausmachen", "Flüge nach {city} buchen", "Wäsche!!",
    "{work} abgeben", "Geschenk für {first} überlegen", "Pflanzen gießen 🌱",
    "Bücher in die Bücherei zurückbringen (überfällig)", "Vertrag kündigen – Frist {weekday}", "call the bank",
    "renew passport", "book {first}'s birthday table", "Auto: TÜV", "Fahrradreifen aufpumpen", "Backup machen ;-)",
    "Vorsorgevollmacht unterschreiben", "E-Mails < 2024 löschen", "Küche streichen (weiß? gelb?)", "Keller ausräumen",
    "Impfung auffrischen", "Slides for {weekday}", "{food} einkochen", "Mietvertrag §5 prüfen", "Stromzähler ablesen",
    "Elternabend, {time}", "fix the leaking tap", "{book} zu Ende lesen", "Steuererklärung 2025",
    "Schlüssel nachmachen", "Probezeitgespräch vorbereiten", "Versicherung: Schaden melden",
    "Kuchen für {first} backen", "Rezept abholen", "Bewerbung – Lebenslauf aktualisieren", "Sperrmüll anmelden",
    "Heizung entlüften", "Spende überweisen ({money} €)",
)
TASK_NOTES: Final[Texts] = (
    "Ordner 2025, alphabetisch", "siehe Mail von {first} vom {weekday}", "dauert höchstens {n} Minuten …",
    "Nummer steht auf dem Zettel am Kühlschrank", "nicht vor {time} anrufen", "https://example.org/?q=größe&x=<y>",
    "Budget {money} €", "ask {first} first", "Punkt 1:\n\tMaß nehmen\nPunkt 2:\n\tbestellen",
    "War schon zweimal dort – geschlossen.", "Priorität laut {first}: „sofort“", "both copies, signed", "",
)
SUBTASKS: Final[Texts] = (
    "Belege scannen", "Quittungen prüfen", "Preis vergleichen", "Termin bestätigen", "Maße notieren", "draft",
    "review", "send", "{first} fragen", "Formular ausdrucken", "unterschreiben", "zur Post bringen", "Foto machen",
    "Akku laden", "Adresse heraussuchen",
)
NOTE_TITLES: Final[Texts] = (
    "Rezeptideen", "Einkaufsliste {weekday}", "Packliste {city}", "Geschenkideen", "Ideen für die {work}",
    "WLAN bei {first}", "Zitate", "Filme", "Bücher 📚", "Meeting mit {last}", "Wohnungssuche", "Garten",
    "Fragen an die Ärztin", "Passwort-Hinweise (nicht die Passwörter!)", "Reading list", "Random thoughts", "Umzug",
    "Trainingsplan {sport}", "Namen für die {animal}", "Notizen zu {book}", "Gedanken zu »Freiheit«", "TODO???",
    "Ohne Titel", "Gästeliste", "Maße Küche", "Wörter, die ich mag", "Fehler der Woche", "Was ich {first} sagen will",
    "Budget", "lyrics draft",
)
LIST_ITEMS: Final[Texts] = (
    "{food}", "{thing}", "{first} anrufen", "Äpfel (1 kg)", "Öl & Essig", 'rote Linsen → "Dal"', "Kerzen", "{book}",
    "{money} € für {first}", "Salz, Pfeffer, Kümmel", "~~Milch~~", "**wichtig**: {thing}", "{sport}, {n} min",
    "eggs x{n}", "batteries (AA)", "<unleserlich>", "bei {last} nachfragen", "2 × {food}", "{city}, {weekday} {time}",
    "`git push --force` – nie wieder", "½ l Sahne", "100 % Baumwolle", "Nr. {n}/B", 'a "good" pen',
)
NOTE_BODIES: Final[Texts] = (
    '# Linsen\n\n- rot\n- gelb → "Dal"\n- Beluga',
    "| Monat | Miete | Strom |\n| --- | ---: | ---: |\n| Jänner | 890,00 | 61,20 |\n| Feber | 890,00 | 74,05 |",
    '```js\nconst größe = (a, b) => a < b && b > 0;\n// "warum geht das?"\n```',
    "Zutaten:\n250 g Mehl\n3 Eier\n½ l Milch\n1 Prise Salz\n\nAlles verrühren, 20 min ruhen lassen, ausbacken.",
    "„Man sieht nur mit dem Herzen gut.“\n— der Fuchs",
    "Zimmer 1: 4,20 m × 3,85 m\nZimmer 2: 3,10 m × 2,95 m\nFlur: ???\n\nDecke 2,47 m (Altbau wäre höher)",
    "Name: \"Mika\"?\nName: 'Luca'?\nName: `Noa`?\n\n(C:\\Users\\ich\\Namen.txt)",
    "Wenn ich ehrlich bin, will ich nicht mehr.\n\n\n\n…\n\nDoch. Aber anders.",
    "Phone rings.\nA: »Hallo?«\nB: —\nA: »Wer ist da?«\n\u2028(Zeilentrenner aus einer alten App)",
    "Fragen:\n1. Wie lange?\n2. Wie oft?\n3. Was kostet das & wer zahlt?\n4. 副作用?",
    "мама звонила, перезвонить до воскресенья", "שלום — von Noas Postkarte abgeschrieben, \u200fstimmt die Richtung?",
    "e=mc², √2 ≈ 1,41421356, ∑, ≠, ≤, ½, ‰, µ, Ω", "Zeile mit Leerzeichen am Ende   \n\tmit Tab am Anfang\n\n", "x",
    "",
)

DREAMS: Final[Texts] = (
    "Ich stand in einem Haus, das ich kannte, aber jedes Zimmer war ein anderes.",
    "Eine {animal} sprach mit der Stimme von {first}.", "Das Wasser stieg langsam, und niemand außer mir bemerkte es.",
    "Ich sollte eine Prüfung in einem Fach schreiben, das ich nie belegt hatte.",
    "Dann flog ich, nicht hoch, nur knapp über den Dächern von {city}.", "Meine Zähne waren aus Glas.",
    "{first} war da, obwohl er seit Jahren tot ist, und wir haben {food} gegessen.",
    "Ich suchte den Zug, Gleis {n}, aber die Treppe führte immer wieder in dieselbe Küche.",
    "Jemand rief meinen Namen, falsch ausgesprochen.", "Der Schnee war warm.",
    "I was late for a play in which I had the leading part.", "Everyone wore masks made of bread.",
    "Auf einmal war ich wieder {n} und trug den {thing} meines Vaters.", "Der Aufzug fuhr seitwärts.",
    "I could read, but the letters kept turning into birds.",
    "Am Ende stand auf einem Zettel: „Nicht vergessen“ – was, weiß ich nicht mehr.",
    "Ich wusste im Traum, dass ich träume, und bin absichtlich gefallen.", "Das Telefon klingelte unter Wasser.",
    "Frau {last} aus der Grundschule bewachte eine Tür.", "Aufgewacht um {time}, Herzklopfen.",
    "Farben: vor allem Grün, ein sehr dunkles.", "There was a second moon, and it was our fault.",
)
INTERPRETATIONS: Final[Texts] = (
    "Wahrscheinlich wegen der {work}.", "Wasser = Gefühle? Klischee, aber passt.",
    "Habe gestern mit {first} über {city} gesprochen.", "Könnte mit dem Umzug zu tun haben.", "no idea",
    "Kontrollverlust, wie immer vor {weekday}.", "Der {thing} steht für Opa, denke ich.", "",
)
SYMBOLS: Final[Texts] = (
    "Wasser", "Haus", "Fliegen", "Zähne", "Zug", "Schnee", "Tür", "Mond", "Brücke", "Prüfung", "Spiegel", "Feuer",
)
SPOKEN: Final[Texts] = (
    "wir müssten dann halt schauen, ob das bis {weekday} geht.",
    "Und dann hat {first} gesagt, nee, das machen wir anders.", "Das kostet so ungefähr {money} Euro, glaub ich.",
    "Punkt zwei, die {work}, da warten wir noch auf {last}.", "Genau.",
    "So, and then, um, we could also just, you know, ask them.", "Idee, bevor ich sie vergesse, {food} mit Zimt.",
    "Nicht vergessen, der {thing} steht noch bei {first}.", "Äh, Moment, da kommt die Bahn.", "Ende der Notiz.",
)
CHAT_USER: Final[Texts] = (
    "kannst du mir das kürzer machen?", "Wie heißt das Wort für „Fernweh“ auf Englisch?",
    "Schreib eine Mail an {first} {last}, freundlich, aber bestimmt.", "Was koche ich aus {food} und Resten?",
    "what's the difference between affect and effect", "Plane {n} Tage {city}, kein Museum!!",
    "Erklär mir GCM, als wäre ich {n}.", "Danke {emoji}", "nein, anders", "Übersetz: »Ich drück dir die Daumen«",
    "Fass meine Notizen zur {work} zusammen", "Ist das ein Scherz?", "Und wenn sie nein sagt?",
    "gib mir 5 Ideen, keine mit {animal}", "ok",
)
CHAT_ASSISTANT: Final[Texts] = (
    "Gern! Drei Vorschläge:\n1. {city}\n2. {city}\n3. {city}",
    "Hier eine kürzere Fassung:\n\n> {first} kommt am {weekday} um {time}.",
    "Das kommt darauf an, wie viel Zeit du hast. Mit {n} Minuten würde ich {food} machen.",
    "“Wanderlust” trifft es fast, aber nicht ganz.",
    "Liebe Frau {last},\n\nvielen Dank für Ihre Nachricht. Leider passt uns der {weekday} nicht.\n\nMit "
    "freundlichen Grüßen",
    "Sorry, I misunderstood. Let me try again:\n\n- shorter\n- clearer\n- without the joke",
    "Natürlich. **Zusammenfassung:** Die {work} ist zu {n} % fertig; offen sind Texte & Bilder.",
    "Das kann ich leider nicht beurteilen.", '```\nif a < b:\n    print("größer")\n```',
    "Gute Frage! Kurz: ja. Lang: nein.",
)
CONVERSATIONS: Final[Texts] = (
    "Urlaubsplanung {city}", "Mail an {last}", "Rezept {food}", "Brainstorming {work}", "Neue Unterhaltung",
    "Hilfe mit Steuer", "English grammar", "Geburtstag {first}",
)

MOODS: Final[Texts] = (
    "dankbar", "müde", "heiter", "traurig", "wütend", "ruhig", "aufgeregt", "leer", "verliebt", "okay", "ängstlich",
    "stolz",
)
TAGS: Final[Texts] = (
    "Arbeit", "Familie", "Gesundheit", "Geld", "Reise", "natur", "ruhe", "Idee 💡", "später", "Müll?", "WICHTIG",
    "haus & garten", "Lernen", "Musik", "C++", "§",
)
EVENTS: Final[Texts] = (
    "Planung Q3", "Kaffee mit {first}", "Zahnarzt", "Geburtstag {first} 🎂", "Team-Sync", "{sport}", "Elternabend",
    "Flug nach {city}", "Probe", "1:1 {first}/{last}", "Wohnungsbesichtigung {street}", "dinner @ {first}'s", "Physio",
    "Abgabe {work}", "Müllabfuhr", "Hochzeit {first} & {first}",
)
LOCATIONS: Final[Texts] = (
    "Sitzungszimmer 2", "Café Größenwahn", "{street} {n}, {city}", "Zoom", "bei {first}", "Hauptbahnhof, Gleis {n}",
    "Schwimmbad", "online", "?",
)
HABITS: Final[Texts] = (
    "Wasser trinken", "{sport}", "Vokabeln", "Kein Handy im Bett", "Lesen ({n} Seiten)", "Journal", "10.000 Schritte",
    "Zahnseide", "Früh aufstehen",
)
COMPANIES: Final[Texts] = (
    "Beispiel AG", "Größner & Söhne GmbH", "{last} IT-Beratung", "Café Löffel", "Studio »Blau«", "Kunde GmbH",
    "O’Brien Ltd.", "Verein für Ökologie e. V.",
)
JOBS: Final[Texts] = (
    "Buchhalterin", "Hebamme", "Tischler", "UX-Designerin", "Lehrer", "Ärztin", "barista", "Küsterin",
    "Softwareentwickler", "Rentner",
)
SONGS: Final[Texts] = (
    "Skizze in d-Moll", "Regenlied", "Song for {first}", "Ohne Titel {n}", "Über den Dächern", "{city} 4am",
    "Wiegenlied (Demo)", "Fünf Töne", "rough mix v{n}",
)
PLACES: Final[Texts] = (
    "Zuhause", "Büro", "Bank am Fluss", "{food}-Imbiss", "Bäckerei {last}", "Kletterhalle {city}", "Oma",
    "Aussichtspunkt", "the good bench",
)
RECIPES: Final[Texts] = (
    "{food}", "Omas {food}", "{food} (vegan)", "schnelle {food}", "{food} für {n}", "Sonntags-{food}",
)
PROJECTS: Final[Texts] = (
    "Umbau", "Website {last}", "{work}", "Garten", "Buch", "Verein", "Umzug {city}", "side project", "Inbox",
)
INVOICE_SUBJECTS: Final[Texts] = (
    "Projekt Alpha", "Website-Relaunch", "Beratung {weekday}", "Übersetzung „{food}“", "Workshop in {city}",
    "Wartung Q{n}",
)
INVOICE_LINES: Final[Texts] = (
    "Konzept", "Reise", "Gestaltung", "Programmierung", "Lektorat", "Spesen", "Workshop 1 Tag", "Übersetzung DE→EN",
    "Fotos", "Lizenz",
)
GOALS: Final[Texts] = (
    "Halbmarathon", "Weniger Zucker", "Französisch B1", "Klavier: Satz 1", "{n} Bücher", "Früher ins Bett",
    "Notgroschen {money} €", "be kinder",
)
INTERESTS: Final[Texts] = (
    "Klettern", "Kochen", "Typografie", "Vögel", "Synthesizer", "Geschichte", "Go (das Spiel)", "Keramik", "Mathe",
    "Fußball",
)
RATIONALES: Final[Texts] = (
    "Zusammenfassung ergänzt", "Titel war leer", "Termin aus Mail übernommen", "Duplikat zusammengeführt",
    "typo fixed", "Tags vergeben",
)
# fmt: on
