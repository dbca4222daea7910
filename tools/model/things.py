"""What runs out and what breaks, by category, and the wordings that name it.

The marks in the wordings are explained in `phrases.py`.
"""

# What runs out or is asked for, and what breaks: {thing} and {device} in a wording.
THINGS = {
    "medical": "medicine;bandages;vaccines;antibiotics;painkillers;insulin;a doctor;"
               "a nurse;a midwife;an ambulance;oxygen bottles;medical supplies;a surgeon;"
               "malaria tablets;first aid kits;stretchers;syringes;rehydration salts;"
               "blood bags;a medical team;disinfectant;face masks;plasters;a dentist",
    "water": "clean water;drinking water;water filters;water tanks;chlorine tablets;"
             "a water truck;a water pump;water pipes;jerrycans of water;pump parts;"
             "bottled water;a plumber;a new well;sandbags against the flood;"
             "buckets of water;a hand pump;water purification tablets;a rain water tank",
    "food": "food;rice;flour;beans;cooking oil;baby milk;bread;maize;food parcels;"
            "rations;sugar and salt;meals;vegetables;milk powder;canned fish;cereals;"
            "lentils;something to eat;potatoes;groceries;high energy biscuits",
    "shelter": "tents;blankets;tarpaulins;mattresses;plastic sheets;roof sheets;shelter;"
               "housing;sleeping bags;sleeping mats;timber for houses;a dry place to sleep;"
               "emergency shelters;bricks for houses;a roof;tent poles;stoves for the tents;"
               "winter tents",
    "road": "a bulldozer;an excavator;a temporary bridge;a boat to cross;road repair;"
            "gravel for the road;a ferry;snow ploughs;a road crew;a crane for the bridge;"
            "tow trucks;road signs;a digger;planks for the bridge",
    "power": "electricity;a generator;diesel for the generator;solar panels;batteries;"
             "an electrician;power cables;fuses;a transformer;light;lamps;power;"
             "fuel for the generator;an inverter;extension cables;a charger",
    "security": "police;guards;protection;a patrol;an escort;soldiers;a mine clearing team;"
                "security;peacekeepers;a night watch;a bomb disposal team;"
                "flashlights for the guards;barriers against raiders",
    "other": "a radio;a satellite phone;school books;a translator;a teacher;seeds;tools;"
             "forms;a vet;identity papers;pens and paper;a computer;a priest;"
             "fodder for the cattle;phone cards;news;toys;bicycles;internet",
}
DEVICES = {
    "medical": "ambulance;x-ray machine;vaccine fridge;clinic;operating room;health post;"
               "hospital;maternity ward",
    "water": "well;pump;water pipe;water tank;hand pump;borehole;dam;tap;water tower;"
             "water point;dyke;latrine well",
    "food": "food store;bakery oven;grain mill;school kitchen;food depot;granary;"
            "field kitchen;rice mill",
    "shelter": "roof of the school shelter;tent camp;dormitory;big tent;row of houses;"
               "barracks;community shelter;roof",
    "road": "bridge;road;culvert;ferry;track;tunnel;mountain pass;footbridge;"
            "railway bridge;causeway;ford;highway",
    "power": "generator;transformer;solar plant;power line;substation;inverter;"
             "battery bank;power station;fuse box",
    "security": "camp fence;guard post;checkpoint;police station;watch tower;security gate;"
                "alarm;border post",
    "other": "radio;phone mast;school;internet link;computer;antenna;loudspeaker;"
             "church bell;mobile tower;satellite dish",
}

# Wordings about them.
STATE_OF_THINGS = ["no {thing} in {p}", "{thing} needed at {p}", "we lack {thing} in {p} {ago}",
                   "{p} asks for {thing}",
                   "{p} needs {thing}", "people in {p} need {thing}", "there is a lack of {thing} in {p}",
                   "{thing} is what {p} needs", "here in {p} we need {thing}",
                   "{p} is still waiting for {thing}",
                   "~{thing} wanted in {p}", "~we need {thing} at {p}", "~{p} lacks {thing} {ago}"]
STATE_OF_DEVICES = ["the {device} at {p} is broken", "the {device} in {p} is damaged",
                    "{device} out of order at {p} {ago}",
                    "the {device} at {p} needs repair", "the {device} of {p} was destroyed by the storm",
                    "trouble with the {device} at {p}", "{p} reports a damaged {device}",
                    "the {device} in {p} can no longer be used", "our {device} in {p} has not worked {ago}",
                    "~broken {device} in {p}", "~the {device} at {p} is destroyed",
                    "~the {device} in {p} needs repair {ago}"]
LACK_OF_THINGS = ["{need} {thing}", "{ask} for {thing}", "in need of {thing}", "{are} waiting for {thing}",
                  "{have} no {thing}",
                  "~without {thing} {ago}", "~{need} {thing} and {ask} for help"]
REQUEST_OF_THINGS = ["need {thing}", "please send {thing}", "send {thing}", "we need {thing}",
                     "can you send {thing}",
                     "~we ask for {thing}", "~please bring {thing}"]
