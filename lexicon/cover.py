"""The public words that can stand for each other in a covered request: ``kind<TAB>word<TAB>count``.

Each kind is a list of words that fit the same sentences: of one grammar (a mass noun, a count noun, an adjective), and
those that take "an" apart from those that take "a", so that no article tells a decoy. Counts are those of the public
word list. Only words that the special-category lists find stand here: one that is never replaced could never be the
true one. The lists were written for CMIF; the ages of a decade or two share a kind.

    python -m lexicon.cover [--out cover.tsv]
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from cmif.enclave.detect.lexicon import special_categories
from cmif_server.provider.lexicon import public_lexicon

OUT = Path(__file__).resolve().parents[1] / "src/cmif/enclave/data/cover.tsv"

KINDS = {
    "condition": """
        diabetes hypertension lupus gout psoriasis hemophilia glaucoma fibromyalgia sarcoidosis scoliosis cirrhosis
        hepatitis tuberculosis colitis sciatica vertigo tinnitus hypothyroidism thalassemia neuropathy vasculitis
        myopathy narcolepsy cardiomyopathy diverticulitis pancreatitis nephritis sinusitis gastritis bursitis
        tendinitis vitiligo dermatitis rheumatism spondylitis hypoglycemia hemochromatosis pericarditis polycythemia
        thrombocytopenia depression schizophrenia dementia bulimia psychosis mania paranoia delirium dyslexia dyspraxia
        asthma arthritis anemia autism epilepsy eczema emphysema anorexia insomnia angina alopecia osteoporosis
        osteoarthritis obesity endocarditis amnesia alcoholism ataxia aphasia acidosis anaphylaxis anxiety
        osteomyelitis amyloidosis uveitis esophagitis appendicitis encephalitis influenza enteritis
    """,
    "infection": """
        pneumonia bronchitis tonsillitis measles malaria mumps chickenpox shingles salmonella typhoid meningitis
        rubella sepsis tetanus laryngitis pharyngitis cellulitis conjunctivitis gonorrhea syphilis chlamydia herpes
        scabies rabies listeriosis toxoplasmosis trichinosis cystitis prostatitis polio
    """,
    "cancer": """
        leukemia lymphoma melanoma carcinoma myeloma sarcoma neuroblastoma retinoblastoma mesothelioma meningioma
        medulloblastoma glioblastoma rhabdomyosarcoma craniopharyngioma liposarcoma thymoma pheochromocytoma chordoma
        schwannoma leiomyosarcoma neurofibroma hepatoblastoma
    """,
    "event": """
        stroke migraine hernia concussion fracture seizure cyst tumor rash fever cough sprain bruise cramp nosebleed
        headache toothache hemorrhoid polyp lesion wart fistula hematoma thrombosis clot relapse
    """,
    "drug": """
        metformin lisinopril simvastatin warfarin prednisone levothyroxine gabapentin sertraline fluoxetine citalopram
        naproxen morphine codeine methadone penicillin tetracycline doxycycline ciprofloxacin lithium diazepam
        lorazepam clonazepam tramadol fentanyl propranolol metoprolol furosemide digoxin hydrochlorothiazide losartan
        valsartan ramipril captopril pravastatin rosuvastatin clopidogrel heparin methotrexate paroxetine venlafaxine
        bupropion duloxetine trazodone mirtazapine quetiapine risperidone lamotrigine carbamazepine topiramate
        phenytoin valproate montelukast salbutamol cetirizine loratadine pantoprazole lansoprazole cephalexin
        clarithromycin fluconazole nystatin hydrocodone hydrocortisone dexamethasone prednisolone cortisone
        nitroglycerin nifedipine spironolactone glipizide melatonin tylenol prozac zoloft lipitor viagra valium xanax
        ritalin ibuprofen aspirin insulin amoxicillin atorvastatin amlodipine azithromycin acetaminophen albuterol
        alprazolam escitalopram esomeprazole omeprazole oxycodone olanzapine apixaban atenolol aripiprazole
        erythromycin enalapril advil ambien adderall augmentin
    """,
    "faith": """
        muslim christian hindu buddhist sikh catholic protestant mormon baptist lutheran methodist presbyterian quaker
        mennonite taoist puritan jain wiccan zoroastrian calvinist pagan pentecostal
    """,
    "origin": """
        turkish german french spanish portuguese dutch danish swedish norwegian finnish polish czech hungarian romanian
        bulgarian greek russian ukrainian serbian croatian bosnian slovak slovenian latvian lithuanian swiss belgian
        scottish welsh british canadian mexican brazilian chilean colombian peruvian cuban jamaican haitian moroccan
        tunisian libyan sudanese nigerian ghanaian kenyan somali lebanese jordanian syrian saudi kuwaiti pakistani
        bangladeshi nepalese burmese thai vietnamese cambodian malaysian filipino chinese japanese korean mongolian
        tibetan bolivian venezuelan guatemalan honduran nicaraguan panamanian rwandan senegalese tanzanian zimbabwean
        zambian italian irish english american austrian australian argentinian indian iranian iraqi israeli egyptian
        ethiopian eritrean indonesian afghan albanian algerian angolan armenian estonian icelandic ivorian
    """,
    "offence": """
        burglary theft fraud robbery larceny forgery perjury bribery shoplifting vandalism trespassing kidnapping
        blackmail manslaughter murder smuggling stalking homicide
    """,
}
_ALSO_AN = (8, 11, 18, *range(80, 90))
_AGES = [age for age in range(2, 98) if age not in _ALSO_AN]
_DECADES = 16


def rows(counts: Mapping[str, float]) -> list[tuple[str, str, int]]:
    """Rows (kind, word, count), sorted. ``counts``: of public text, by lower-case word."""
    found = special_categories()
    out = []
    for kind, listed in KINDS.items():
        for word in listed.split():
            if word in found:
                out.append((f"{kind} an" if _takes_an(word) else kind, word, round(counts.get(word, 0))))
    for i, age in enumerate(_AGES):  # their counts say nothing of ages
        out.append((f"age {_AGES[i - i % _DECADES]} on", str(age), 1))
    return sorted(out)


def _takes_an(word: str) -> bool:
    return word[0] in "aeiou" and not word.startswith(("eu", "uk", "uni"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=OUT)
    lexicon = public_lexicon()
    counts = {word.lower(): float(count) for word, count in zip(lexicon.words, lexicon.counts, strict=True)}
    text = "".join(f"{kind}\t{word}\t{count}\n" for kind, word, count in rows(counts))
    parser.parse_args().out.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
