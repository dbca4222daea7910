"""The wordings that reports are made of. Data only; `reports.py` puts them together.

Marks in a wording:
    ~...          reserved: occurs in the held-out set only, never in training
    {p}           a place name          {name}  a person's name
    {k}           a small number that does not count people (the distractor)
    {fam} {sub}   the same, in a measure that fits the number of people {n}
    {big}         a large number that does not count people
    {thing} {device}     one of THINGS or DEVICES
    {ago}         how long it has lasted (says nothing about the urgency)
    {day}         a weekday             {clock} a time of day
    {have} {are} {need} {ask} {was}     verbs that agree with the number of people
"""

CATEGORIES = ("medical", "water", "food", "shelter", "road", "power", "security", "other")

# A problem as a clause of its own, with nothing in it that says how urgent it is.
STATE = {
    "medical": [
        "the clinic in {p} has run out of medicine", "no doctor at {p} {ago}",
        "the health post at {p} has no bandages left", "many people are sick in {p}",
        "measles in {p}", "cases of malaria reported in {p}", "there is fever in {p} {ago}",
        "the hospital at {p} needs vaccines", "patients at {p} cannot get their insulin",
        "an outbreak of diarrhoea in {p}", "people with coughs and fever in {p}",
        "the nurse post in {p} is out of antibiotics", "injured people at {p} need treatment",
        "the ambulance of {p} is out of service", "first aid kits are finished at {p}",
        "cholera suspected at {p}", "the clinic at {p} has {k} beds and all are full",
        "medical supplies needed in {p}", "the midwife has left {p} {ago}",
        "~the clinic at {p} is out of vaccines", "~sick people in {p} {ago}",
        "~{p} has no medicine left", "~fever and malaria in {p}",
    ],
    "water": [
        "the well in {p} is dry", "the well at {p} has run dry {ago}", "the pump in {p} is broken",
        "drinking water in {p} is dirty", "no clean water in {p} {ago}",
        "the water tank at {p} is leaking", "{k} of the wells in {p} are contaminated",
        "the river has burst its banks at {p}", "flood water stands in {p}",
        "water pipe burst at {p}", "the borehole at {p} gives only mud",
        "the water at {p} tastes of fuel", "{p} is flooded", "tap water has stopped in {p}",
        "the water truck has not come to {p} {ago}", "the hand pump at {p} lost its handle",
        "the spring above {p} is polluted", "water filters are used up at {p}",
        "the stream at {p} smells of chemicals", "only {big} litres of water left in {p}",
        "~no drinking water at {p} {ago}", "~the well at {p} is contaminated",
        "~water pump broken in {p}", "~{p} has no clean water",
    ],
    "food": [
        "food is running low in {p}", "no food left in {p}", "the rice stock at {p} is used up",
        "the harvest in {p} failed", "the market in {p} has had nothing to eat {ago}",
        "the food store at {p} burned down", "only {k} bags of flour left in {p}",
        "rations in {p} are finished", "{p} has eaten nothing but roots {ago}",
        "the bakery in {p} has no flour", "baby milk has run out in {p}",
        "food parcels have not arrived in {p} {ago}", "people in {p} are hungry",
        "the school kitchen at {p} has no meals to serve", "{k} sacks of maize rotted in {p}",
        "the grain store of {p} is empty", "meals are down to one a day in {p}",
        "beans and oil are finished at {p}", "the food convoy never reached {p}",
        "~no rice left at {p}", "~the food stock in {p} is finished",
        "~hungry people in {p} {ago}", "~{p} has no flour and no beans",
    ],
    "shelter": [
        "{k} houses destroyed in {p}", "the storm took the roofs off in {p}",
        "tents are needed at {p}", "people in {p} sleep in the open {ago}",
        "homes in {p} have collapsed", "the camp at {p} is full and newcomers have no tent",
        "roof sheets blown away in {p}", "blankets and tarpaulins needed in {p}",
        "the community shelter at {p} is leaking", "the earthquake flattened houses in {p}",
        "tents at {p} are torn", "{k} huts burned down in {p}", "families homeless in {p} {ago}",
        "the school in {p} serves as a shelter and is overcrowded",
        "walls are cracked and houses unsafe in {p}", "no place to sleep in {p}",
        "the reception centre at {p} is out of blankets", "plastic sheeting is used up at {p}",
        "~roofs blown off in {p}", "~{k} homes collapsed in {p}",
        "~no tents left at {p}", "~people sleep outside in {p} {ago}",
    ],
    "road": [
        "bridge at {p} washed out", "the bridge near {p} has collapsed", "the road to {p} is blocked",
        "a landslide blocks the road at {p}", "fallen trees across road {k} near {p}",
        "{p} is cut off", "the track to {p} is impassable {ago}", "route {k} is closed at {p}",
        "trucks are stuck in the mud at {p}", "the ferry at {p} is not running",
        "{k} km of road washed away near {p}", "rocks on the road to {p}",
        "the culvert at {p} has caved in", "a deep hole in the road at {p}",
        "the only bridge to {p} is damaged", "snow blocks the pass to {p}",
        "the road between {p} and {p} is gone", "vehicles cannot get through to {p} {ago}",
        "highway {k} is buried under mud at {p}",
        "~road to {p} washed out", "~the bridge at {p} is blocked",
        "~landslide on route {k} at {p}", "~{p} cut off {ago}, the track is gone",
    ],
    "power": [
        "no electricity in {p} {ago}", "the generator at {p} is broken", "power is out in {p}",
        "power lines are down at {p}", "the transformer in {p} has failed",
        "the solar panels at {p} were stolen", "fuel for the generator at {p} is finished",
        "blackout in {p} {ago}", "the batteries at {p} no longer charge",
        "{k} power poles have fallen in {p}", "the grid has been down in {p} {ago}",
        "the lights are out in all of {p}", "the inverter at {p} does not start",
        "the substation at {p} is damaged", "only {k} hours of electricity a day in {p}",
        "the diesel generator in {p} needs a new part", "a fuse keeps blowing at {p}",
        "cables were cut and {p} is dark",
        "~no power at {p} {ago}", "~the generator in {p} has failed",
        "~power poles down near {p}", "~{p} is without electricity",
    ],
    "security": [
        "armed men seen near {p}", "looting in {p}", "there was shooting near {p} last night",
        "robbers stop cars at {p}", "the market at {p} was raided", "a mine was found at {p}",
        "militia have set up a checkpoint at {p}", "threats against aid workers in {p}",
        "thieves broke into the store at {p}", "fighting reported close to {p} {ago}",
        "bandits on the hills above {p}", "unexploded shell found in {p}",
        "{k} vehicles with gunmen passed {p}", "theft of {k} bicycles in {p}",
        "tension between two groups in {p} {ago}", "a violent crowd gathered at {p}",
        "guards were attacked at {p}", "gunfire heard in {p}", "kidnapping reported at {p}",
        "~gunmen seen at {p}", "~bandits attacked cars at {p}",
        "~shooting and looting in {p}", "~an unexploded mine lies at {p}",
    ],
    "other": [
        "the radio at {p} does not work", "the phone network is down in {p}",
        "{k} goats died in {p}", "the school in {p} is closed", "we need a translator in {p}",
        "cattle in {p} are dying", "registration forms are used up at {p}",
        "rubbish piles up in {p}", "the mobile tower at {p} is silent {ago}",
        "the teacher has left {p}", "{k} school books missing at {p}",
        "no radio contact with {p} {ago}", "identity papers were lost in {p}",
        "the satellite phone at {p} needs repair", "letters for {p} have not come {ago}",
        "volunteers at {p} ask for vests", "seeds and tools are wanted in {p}",
        "the internet link of {p} is broken",
        "~radio broken in {p}", "~no phone network at {p} {ago}",
        "~the school at {p} needs books", "~goats and cattle die in {p}",
    ],
}

# A problem that is a danger to life by itself: high urgency though nothing says "urgent".
HOT = {
    "medical": ["patients at {p} are dying", "heavy bleeding and no doctor at {p}",
                "the clinic at {p} has no oxygen and patients cannot breathe",
                "cholera deaths in {p}", "mass casualties at {p}",
                "~patients in {p} are bleeding and dying"],
    "water": ["flood water is rising fast in {p}", "the dam above {p} is about to break",
              "people on the roofs in {p}, the water keeps rising", "people are drowning in {p}",
              "~the water rises fast at {p} and people are on the roofs"],
    "food": ["children are starving to death in {p}", "people in {p} are dying of hunger",
             "people collapse from hunger in {p}", "~people are starving to death in {p}"],
    "shelter": ["people are trapped under a collapsed house in {p}",
                "people are freezing to death without shelter in {p}",
                "people are buried under the rubble in {p}",
                "~people are trapped under the rubble of houses in {p}"],
    "road": ["a bus hangs over the edge of the broken bridge at {p}",
             "a landslide has buried cars on the road at {p}",
             "people are trapped in cars under the landslide at {p}",
             "~a bus is trapped on the collapsing bridge at {p}"],
    "power": ["a live power cable lies in the street at {p}",
              "the generator at {p} is on fire", "the transformer at {p} is burning",
              "the generator at {p} has failed and the oxygen machines have stopped",
              "~the generator in {p} is burning"],
    "security": ["armed men are attacking {p}", "we are under fire at {p}",
                 "gunmen are shooting at people in {p}", "hostages taken at {p}",
                 "~gunmen are attacking {p}"],
    "other": ["a forest fire is closing in on {p}", "the gas tank at {p} is about to explode",
              "a boat is sinking on the lake at {p}", "fire is spreading through {p}",
              "~a fire is closing in on {p}"],
}

# News that asks for nothing: low urgency though nothing says so.
CALM = {
    "medical": ["the clinic in {p} has reopened", "all patients at {p} have recovered",
                "vaccines arrived at {p}", "~the clinic at {p} has all medicine again"],
    "water": ["the well at {p} has been repaired", "clean water is back in {p}",
              "the flood in {p} has gone down", "~the pump at {p} has been repaired"],
    "food": ["food parcels arrived in {p}", "the food store at {p} has been refilled",
             "the harvest in {p} was good", "~food arrived at {p}"],
    "shelter": ["all tents at {p} are up", "the roofs in {p} have been repaired",
                "the shelter at {p} is finished", "~houses in {p} have been repaired"],
    "road": ["the bridge at {p} has been repaired", "the road to {p} is open again",
             "route {k} has been cleared at {p}", "~the road at {p} has been repaired"],
    "power": ["power is back in {p}", "the generator at {p} has been repaired",
              "electricity has been restored in {p}", "~electricity is back in {p}"],
    "security": ["it has been calm in {p} {ago}", "the armed men have left {p}",
                 "the mine at {p} has been cleared", "~the gunmen have left {p}"],
    "other": ["the school in {p} has reopened", "the radio at {p} works again",
              "the phone network in {p} is back", "~the radio at {p} has been repaired"],
}

# What people lack or suffer, with them as the subject of the sentence.
LACK = {
    "medical": ["{have} a high fever", "{need} a doctor", "{are} sick with malaria",
                "{have} broken bones", "{need} medicine", "{are} ill and cannot walk",
                "{was} hurt in the storm", "{need} to be seen by a nurse", "{have} infected wounds",
                "~{are} ill with fever", "~{have} wounds and {need} a nurse"],
    "water": ["{have} no clean water", "without drinking water {ago}", "{ask} for water",
              "{have} only dirty water to drink", "{need} clean drinking water",
              "{have} had no water {ago}", "in need of water filters",
              "~without clean water", "~{need} water to drink"],
    "food": ["{have} no food", "without food {ago}", "{are} hungry", "{need} something to eat",
             "{have} nothing left to eat", "{ask} for food", "in need of rice and oil",
             "~{have} had no food {ago}", "~{are} hungry and {ask} for rice"],
    "shelter": ["{have} lost their home", "without a roof {ago}", "{need} tents",
                "{are} sleeping in the open", "{have} nowhere to sleep", "{need} blankets",
                "in need of shelter", "{are} homeless {ago}",
                "~without shelter {ago}", "~{are} homeless and {need} blankets"],
    "road": ["cut off behind the landslide", "stranded at the broken bridge",
             "{are} stuck on the blocked road", "{are} cut off", "stranded on the far bank {ago}",
             "{are} waiting behind the washed out road", "in need of a boat to cross the river",
             "~stranded behind the blocked bridge", "~{are} cut off {ago} by the landslide"],
    "power": ["without electricity {ago}", "{have} no power", "{are} in the dark {ago}",
              "{need} fuel for the generator", "{ask} for a generator", "without light and power",
              "{have} had no electricity {ago}",
              "~without power {ago}", "~{need} a generator"],
    "security": ["{are} hiding from armed men", "{was} robbed on the way", "{was} threatened",
                 "{are} afraid of the gunmen", "{ask} for protection", "{have} fled the fighting",
                 "{was} robbed by bandits",
                 "~{are} hiding from bandits", "~{ask} for protection from the gunmen"],
    "other": ["{have} lost their identity papers", "{ask} for school books", "{need} a translator",
              "without phone contact {ago}", "{need} registration", "{ask} for seeds and tools",
              "{want} to send word to relatives",
              "~{need} identity papers", "~{ask} for a translator"],
}

# The same, when it is a danger to life by itself.
HOT_LACK = {
    "medical": ["{are} bleeding heavily", "{are} unconscious", "{was} bitten by a snake and cannot breathe",
                "{are} dying", "{have} had a heart attack", "cannot breathe", "{was} shot",
                "in labour and bleeding", "{are} badly burned and in shock",
                "~{are} unconscious and bleeding"],
    "water": ["{are} on a roof and the water keeps rising", "{are} about to drown",
              "trapped by rising flood water", "~on a roof in the rising flood water"],
    "food": ["{are} starving to death", "{are} dying of hunger", "~{are} about to die of hunger"],
    "shelter": ["trapped under a collapsed house", "buried under the rubble",
                "{are} freezing to death without a roof", "~trapped in a collapsed house"],
    "road": ["trapped in a car under the landslide", "trapped on the collapsing bridge",
             "~trapped on the bridge"],
    "power": ["{are} trapped beside a live power cable",
              "{are} on oxygen machines and the power has failed",
              "~{are} next to a live power cable"],
    "security": ["{are} under fire", "{was} taken hostage", "{are} being attacked by armed men",
                 "~{are} being shot at by gunmen"],
    "other": ["surrounded by a forest fire", "{are} on a sinking boat", "~surrounded by fire"],
}

# What is asked for; a time of TIME or nothing follows.
REQUEST = {
    "medical": ["need a doctor", "please send medicine", "send an ambulance", "nurse needed",
                "we need bandages", "~please send bandages"],
    "water": ["need clean water", "please send a water truck", "send {k} water filters",
              "pump parts needed", "we need a plumber", "~we need a water truck"],
    "food": ["need food", "please send rice", "send {k} bags of flour", "food parcels needed",
             "we need baby milk", "~please send food parcels"],
    "shelter": ["need tents", "please send {k} tents", "send blankets", "tarpaulins needed",
                "we need roof sheets", "~please send blankets"],
    "road": ["need boat", "please send a bulldozer", "send a boat", "digger needed to clear the road",
             "we need a temporary bridge", "~we need a boat"],
    "power": ["need a generator", "please send an electrician", "send {k} litres of diesel",
              "solar panels needed", "we need batteries", "~please send a generator"],
    "security": ["need protection", "please send a patrol", "send police", "guards needed",
                 "we need an escort", "~we need police"],
    "other": ["need a radio", "please send school books", "send a translator", "forms needed",
              "we need a vet for the cattle", "~please send a radio"],
}

# Who is counted. The singular ones stand for one person and carry no number.
WHO = ["people", "people", "people", "persons", "villagers", "residents", "adults", "children", "women",
       "men", "elderly people", "workers", "farmers", "students", "travellers", "kids", "survivors",
       "neighbours", "refugees"]
ONE = ["a man", "one man", "an old woman", "a boy", "a girl", "one child", "one person", "a woman",
       "a worker", "a young man", "one woman", "a pregnant woman", "an old man", "a farmer", "a child"]

# The number of people as a clause of its own; {n} is the number, {who} the noun.
COUNT = ["{n} {who} affected", "{n} {who} are affected", "{n} {who} there", "about {n} {who} here",
         "affecting {n} {who}", "{n} {who} in {fam} houses", "{fam} families, {n} {who}",
         "{n} {who} in {fam} families",
         "{n} {who}, {sub} of them elderly", "a group of {n} {who}", "total {n} {who}", "we are {n} {who}",
         "{n} {who} are waiting", "there are {n} {who}", "at least {n} {who}", "around {n} {who} concerned",
         "people affected: {n}", "headcount {n}", "some {n} {who} live there",
         "{fam} households with {n} {who}", "it concerns {n} {who}", "{n} {who} ask for help",
         "{fam} families of {n} {who}", "{n} {who}", "{fam} families with {n} {who} in total",
         "~{n} {who} are concerned", "~there are about {n} {who}", "~{n} {who} live in {fam} houses",
         "~a total of {n} {who} affected", "~{n} {who} from {fam} families"]
COUNT_ONE = ["1 person affected", "people affected: 1", "headcount 1", "one person affected",
             "one person is affected", "only one person there", "it concerns one person",
             "a single person is affected", "~there is one person"]
NOBODY = ["nobody is affected so far", "nobody is hurt", "no one is affected", "no people affected",
          "0 people affected", "no one lives there", "zero people affected", "nobody concerned",
          "~no one is concerned", "~no people there"]

# The people as the subject of a LACK.
SUBJECT = ["{n} {who}", "{n} {who} in {p}", "{n} {who} at {p}", "about {n} {who} near {p}",
           "{fam} families of {n} {who}",
           "at {p}, {n} {who}", "around {n} {who} in {fam} houses", "{n} {who} from {p}",
           "a group of {n} {who} at {p}",
           "in {p} {n} {who}", "we are {n} {who} in {p} and", "{fam} families with {n} {who} in {p}",
           "{n} {who} ({sub} of them very young) at {p}",
           "~near {p}, {n} {who}", "~{n} {who} from {fam} families in {p}", "~at least {n} {who} in {p}"]
SUBJECT_ONE = ["{who}", "{who} in {p}", "{who} at {p}", "at {p} {who}", "{who} from {p}", "in {p}, {who}",
               "~near {p} {who}"]

# Sentences that carry numbers which do not count people.
ASIDE = ["it is {k} km from {p}", "the trip takes {k} hours", "take road {k}", "we are in sector {k}",
         "it has rained for {k} days", "your last visit was {k} weeks ago", "we have {k} trucks",
         "there are {k} houses", "the next village is {k} km away", "radio on channel {k}",
         "grid {big}", "call extension {big}", "report number {big}", "it is {clock}", "it is {k} degrees",
         "use the track past {p}", "block {k}", "see report {big}",
         "{k} motorbikes are available", "we wrote {k} times before", "the path is {big} m long",
         "message sent at {clock}", "camp {k}", "the truck carries {big} kg",
         "~it is {k} hours from {p}", "~we have {k} motorbikes and {k} trucks", "~{big} m past {p}",
         "~we are in block {k}"]

# All is well with something else: a category that is named but not the answer.
FINE = {
    "medical": ["no one is ill", "the clinic is fine", "~the clinic is open"],
    "water": ["water is fine", "the well still works", "~there is enough water"],
    "food": ["food is sufficient", "there is enough food", "~food is fine"],
    "shelter": ["the houses are intact", "there are enough tents", "~the houses are fine"],
    "road": ["the road is open", "roads are clear", "~the bridge is fine"],
    "power": ["power is on", "the generator works", "~electricity is on"],
    "security": ["it is calm and safe", "the area is secure", "~security is fine"],
    "other": ["the radio works", "the phone network is fine", "~the school is open"],
}

OPENING = ["hello, ", "report from {p}: ", "this is {name} from {p}. ", "{name} here. ", "to base: ",
           "team {k}: ", "field report {big}: ", "sitrep {p}, {clock}: ", "good morning. ", "{p}: ",
           "dear all, ", "{name} reports from {p}: ", "base, this is team {k}. ",
           "~hello base, {name} here. ",
           "~report {big} from team {k}: "]
CLOSING = ["thanks", "over", "regards, {name}", "{name}, team {k}", "please confirm", "thank you",
           "please reply", "over and out", "~thanks, {name}", "~please confirm, over"]
AGO = ["for {k} days", "since {day}", "for {k} weeks", "since last night", "since this morning",
       "for a week", "since last month", "for {k} hours", "since the storm", "", "", "", "", ""]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
SYSTEM = ["You turn a field report into one line of JSON.", "Answer with JSON only.",
          "Extract category, urgency and people from the report.", "You are a helpful assistant."]
